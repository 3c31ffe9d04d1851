//! The trail, read once as it becomes durable, for everything that counts: the
//! console's minutes, the metrics of sessions, and usage by hour.
//!
//! What a record counts is said in one place, [`RecordSummary::counted`], so
//! that all of them say the same.
//!
//! [`RecordSummary::counted`]: hallpass_audit::RecordSummary::counted

mod batch;
mod follow;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use hallpass_audit::Progress;
use hallpass_console::Timeline;
use hallpass_core::pipeline::Broker;
use hallpass_telemetry::Metrics;

use self::{batch::Counter, follow::Following};
use super::lifecycle::Tasks;

/// What counts, and what it is counted from.
pub(crate) struct CountingParts {
    /// The trail's directory.
    pub(crate) dir: PathBuf,
    /// How far it is durable.
    pub(crate) progress: Progress,
    /// The first record of this process, from which on metrics count.
    pub(crate) born: u64,
    /// The minutes the console shows.
    pub(crate) timeline: Arc<Timeline>,
    /// What metrics tell of sessions.
    pub(crate) metrics: Arc<Metrics>,
    /// Whose ledger keeps the counts, and whose profiles name their models.
    pub(crate) broker: Arc<Broker>,
    /// How many records the ledger has the counts of.
    pub(crate) counted: Arc<AtomicU64>,
    /// How long counts are kept.
    pub(crate) kept: Duration,
}

impl CountingParts {
    /// Starts counting.
    pub(crate) fn start(self, tasks: &Tasks) {
        let trail = self.progress.chain_uid().to_owned();
        let counter = Counter::new(self.broker.clone(), trail, self.counted.clone());
        tasks.spawn("counting", |stop| async move {
            Following::new(self, counter).run(stop).await;
        });
    }
}
