//! Counts what the trail says, minute by minute, beside the writing.

use std::{path::PathBuf, sync::Arc, time::Duration};

use hallpass_audit::{Follower, Glance, OutcomeKind, Progress, ReadError};
use hallpass_console::{Deed, Ended, Timeline};
use hallpass_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use crate::wiring::clock::now;

/// How often it is looked whether there is more.
const EVERY: Duration = Duration::from_millis(250);
/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// What is counted of the time before the start.
const BEFORE: Duration = Duration::from_secs(24 * 3600);
/// Records read before others get the thread.
const AT_ONCE: usize = 20_000;

/// Follows a trail for a timeline, and for what metrics tell of sessions.
pub(super) struct Following {
    timeline: Arc<Timeline>,
    metrics: Arc<Metrics>,
    dir: PathBuf,
    progress: Progress,
    /// The first record of this process, from which on counters count.
    born: u64,
    follower: Option<Follower>,
}

impl Following {
    pub(super) fn new(
        timeline: Arc<Timeline>,
        metrics: Arc<Metrics>,
        dir: PathBuf,
        progress: Progress,
    ) -> Self {
        Self {
            timeline,
            metrics,
            dir,
            born: progress.durable(),
            progress,
            follower: None,
        }
    }

    /// Counts until told to stop. A trail that can't be read is tried again.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut is_told = false;
        loop {
            let stepping = tokio::task::spawn_blocking(move || {
                let step = self.step();
                (self, step)
            });
            let Ok((following, step)) = stepping.await else {
                return;
            };
            self = following;
            let wait = match step {
                Ok(true) => Duration::ZERO,
                Ok(false) => EVERY,
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::error!(%error, "the console can't follow the trail; trying again");
                    }
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Counts what there is; whether there may be more at once.
    fn step(&mut self) -> Result<bool, ReadError> {
        let durable = self.progress.durable();
        let follower = match &mut self.follower {
            Some(follower) => follower,
            none => {
                let since = now().saturating_sub(BEFORE).unwrap_or_default();
                none.insert(Follower::since(&self.dir, since)?)
            }
        };
        for _ in 0..AT_ONCE {
            let (number, line) = match follower.next_line(durable) {
                Ok(Some(found)) => found,
                Ok(None) => {
                    self.timeline.filled();
                    return Ok(false);
                }
                Err(error) => {
                    // What can't be read is passed over: `audit verify` names it.
                    let next = follower.next_sequence() + 1;
                    self.follower = Some(Follower::new(&self.dir, next));
                    return Err(error);
                }
            };
            if let Some(deed) = Glance::read(line).ok().flatten().and_then(deed) {
                self.timeline.note(&deed, now());
                if number >= self.born {
                    count(&self.metrics, &deed);
                }
            }
        }
        Ok(true)
    }
}

/// Counts what metrics tell of sessions.
fn count(metrics: &Metrics, deed: &Deed) {
    if deed.is_session_start() {
        metrics.sessions.started();
    }
    if let Some((end, source)) = deed.session_end() {
        #[allow(
            clippy::cast_precision_loss,
            reason = "no session costs a million dollars"
        )]
        let dollars = deed.cost().0 as f64 / 1e9;
        metrics.sessions.ended(end, source, dollars);
    }
}

/// What is counted of a record; none where it is not one of the core's.
fn deed(glance: Glance) -> Option<Deed> {
    let ended = match glance.outcome {
        OutcomeKind::Success => Ended::Done,
        OutcomeKind::Refused => Ended::Refused,
        OutcomeKind::Failed => Ended::Failed,
        OutcomeKind::Abandoned => Ended::Abandoned,
        OutcomeKind::Pending => return None,
    };
    Some(Deed {
        time: glance.time,
        action: glance.action.parse().ok()?,
        ended,
        code: glance.code,
        subject: glance.subject,
        facts: glance.facts,
    })
}
