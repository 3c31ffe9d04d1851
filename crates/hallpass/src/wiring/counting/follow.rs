//! Reads the trail, and lets everything that counts see each record once.

use std::{io, path::Path, time::Duration};

use hallpass_audit::{Follower, ReadError, RecordFollower};
use hallpass_core::{
    Timestamp,
    usage::{Activity, Counted},
};
use hallpass_telemetry::Metrics;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{CountingParts, batch::Counter};
use crate::wiring::clock::now;

/// How often it is looked whether there is more.
const EVERY: Duration = Duration::from_millis(250);
/// How often the ledger is given what was counted: one transaction.
const GIVE_EVERY: Duration = Duration::from_millis(500);
/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// What the console's minutes tell of the time before the start.
const BEFORE: Duration = Duration::from_secs(24 * 3600);
/// Records read before others get the thread.
const AT_ONCE: usize = 20_000;

/// Follows a trail.
pub(super) struct Following {
    parts: CountingParts,
    counter: Counter,
    follower: Option<RecordFollower>,
    given_at: Instant,
    is_told: bool,
}

impl Following {
    pub(super) fn new(parts: CountingParts, counter: Counter) -> Self {
        Self {
            parts,
            counter,
            follower: None,
            given_at: Instant::now(),
            is_told: false,
        }
    }

    /// Counts until told to stop. What fails is tried again.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let (following, wait) = self.turn().await;
            let Some(following) = following else { return };
            self = following;
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wait(wait) => {}
            }
        }
        // The rest is read again at the next start.
        if let Err(error) = self.counter.give().await {
            tracing::warn!(%error, "the last counts are not kept; the next start counts them");
        }
    }

    /// Reads what there is and gives what is due; how long to wait then. Gone
    /// where the runtime is going down.
    async fn turn(mut self) -> (Option<Self>, Duration) {
        if self.follower.is_none() {
            match self.begin().await {
                Ok(follower) => self.follower = Some(follower),
                Err(error) => {
                    self.tell(&error);
                    return (Some(self), AFTER_FAILURE);
                }
            }
        }
        let stepping = tokio::task::spawn_blocking(move || {
            let step = self.step();
            (self, step)
        });
        let Ok((following, step)) = stepping.await else {
            return (None, AFTER_FAILURE);
        };
        self = following;
        if self.given_at.elapsed() >= GIVE_EVERY {
            if let Err(error) = self.counter.give().await {
                self.tell(&error);
                return (Some(self), AFTER_FAILURE);
            }
            self.given_at = Instant::now();
        }
        let wait = match step {
            Ok(true) => Duration::ZERO,
            Ok(false) => {
                self.is_told = false;
                EVERY
            }
            Err(error) => {
                self.tell(&error);
                AFTER_FAILURE
            }
        };
        (Some(self), wait)
    }

    /// Waits, but not while much is to be counted: short steps stall nobody
    /// who shares the core.
    async fn wait(&self, wait: Duration) {
        let Some(follower) = self.follower.as_ref().filter(|_| !self.is_told) else {
            return tokio::time::sleep(wait).await;
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = follower.plenty() => {}
        }
    }

    /// Says once what is wrong, until it is right again.
    fn tell(&mut self, error: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.is_told, true) {
            tracing::error!(%error, "what the trail tells can't be counted; trying again");
        }
    }

    /// Begins where the ledger has not counted yet, or the console's day begins.
    async fn begin(&mut self) -> io::Result<RecordFollower> {
        let counted = self.counter.place().await.map_err(io::Error::other)?;
        let since = |time: Duration| {
            let since = now().saturating_sub(time).unwrap_or_default();
            first_since(&self.parts.dir, since)
        };
        let day = since(BEFORE)?;
        // What is older than counts are kept need not be counted.
        let uncounted = counted.max(since(self.parts.kept)?);
        let (dir, trail) = (&self.parts.dir, &self.parts.progress);
        Ok(RecordFollower::new(dir, day.min(uncounted), trail))
    }

    /// Counts what there is; whether there may be more at once.
    fn step(&mut self) -> Result<bool, ReadError> {
        let durable = self.parts.progress.durable();
        let Some(follower) = &mut self.follower else {
            return Ok(false);
        };
        for _ in 0..AT_ONCE {
            let (number, record) = match follower.next_record(durable) {
                Ok(Some(found)) => found,
                Ok(None) => {
                    self.parts.timeline.filled();
                    return Ok(false);
                }
                Err(error) => {
                    // What can't be read is passed over: `audit verify` names it.
                    follower.pass_over();
                    return Err(error);
                }
            };
            let seen = record.summary();
            let told = seen.as_ref().and_then(|it| Some((it, it.counted()?)));
            self.counter
                .note(number, told.as_ref().map(|(seen, told)| (*seen, told)));
            if let Some((seen, counted)) = told {
                let subject = seen.subject.as_deref();
                let timeline = &self.parts.timeline;
                timeline.note(seen.time, subject, &counted, now());
                if number >= self.parts.born {
                    count(&self.parts.metrics, &counted);
                }
            }
        }
        Ok(true)
    }
}

/// The first record that may be of a time or after it.
fn first_since(dir: &Path, time: Timestamp) -> io::Result<u64> {
    let follower = Follower::since(dir, time).map_err(io::Error::other)?;
    Ok(follower.next_sequence())
}

/// Counts what metrics tell of sessions.
fn count(metrics: &Metrics, counted: &Counted) {
    if counted.happening.activity == Activity::Started {
        metrics.sessions.started();
    }
    if let Some(end) = counted.happening.end() {
        #[allow(
            clippy::cast_precision_loss,
            reason = "no session costs a million dollars"
        )]
        let dollars = counted.tally.cost.0 as f64 / 1e9;
        metrics
            .sessions
            .ended(end.into(), counted.source.into(), dollars);
    }
}
