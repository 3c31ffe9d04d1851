//! Watches for a disk that does not answer.
//!
//! A disk that fails says so; one that hangs says nothing, and would hold every
//! caller for as long. After a while they are told, their records stay in line,
//! and the trail counts as unwritable until the disk is back.

use std::{sync::Arc, time::Duration};

use crate::{queue::Queue, trail::TrailObserver};

/// How often a stall is looked for within the time the disk may take.
const LOOKS: u32 = 4;

/// Looks at the writer from a thread of its own.
pub(crate) struct StallWatch {
    queue: Arc<Queue>,
    patience: Duration,
    observer: Arc<dyn TrailObserver>,
}

impl StallWatch {
    pub(crate) fn new(
        queue: Arc<Queue>,
        patience: Duration,
        observer: Arc<dyn TrailObserver>,
    ) -> Self {
        Self {
            queue,
            patience,
            observer,
        }
    }

    /// Watches until the writer has ended.
    pub(crate) fn run(self) {
        let moment = self.patience / LOOKS;
        while self.queue.writer_lives(moment) {
            self.queue
                .see_stall(self.patience, |stalled| self.tell(stalled));
        }
    }

    fn tell(&self, stalled: bool) {
        if stalled {
            let waited = self.patience;
            tracing::error!(
                ?waited,
                "audit trail: the disk does not answer; no credentials are issued until it does. Look at the disk and its controller; no restart is needed"
            );
        } else {
            tracing::warn!("audit trail: the disk answers again");
        }
        self.observer.stalled(stalled);
    }
}
