//! Sends spans, many at a time, for as long as the collector needs.

use std::{mem, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::{Resource, trace::SpanData};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    TraceSettings,
    batch::{self, Batch},
    queue::Waiting,
};
use crate::TraceMetrics;

/// The wait after a first failure; doubled with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait, whatever the collector asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Tries after which a batch is given up.
const TRIES: u32 = 5;
/// How long what is left may take at the end.
const LAST_WORD: Duration = Duration::from_secs(3);

/// Who takes spans.
#[async_trait]
pub trait Collector: Send + Sync {
    /// Sends one encoded `ExportTraceServiceRequest` and gives back the answer's
    /// body. Ends by itself within the collector's deadline.
    async fn take(&self, request: Bytes) -> Result<Bytes, Untaken>;
}

/// Why a collector took nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untaken {
    /// For the operator; holds no secret.
    pub why: String,
    /// Whether the same may be sent again.
    pub retry: Retry,
}

/// Whether the same may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will never be taken.
    Never,
    /// After a while, at least the one the collector asks for.
    After(Option<Duration>),
}

/// Sends what is queued. Nobody waits for it.
pub struct SpanSender {
    settings: TraceSettings,
    waiting: Waiting,
    collector: Arc<dyn Collector>,
    metrics: TraceMetrics,
    resource: ResourceAttributesWithSchema,
    /// Spans that wait for others.
    gathered: Vec<SpanData>,
    /// Failures since the last success.
    failures: u32,
}

impl SpanSender {
    pub(super) fn new(
        settings: TraceSettings,
        waiting: Waiting,
        collector: Arc<dyn Collector>,
        metrics: TraceMetrics,
        resource: &Resource,
    ) -> Self {
        Self {
            settings,
            waiting,
            collector,
            metrics,
            resource: resource.into(),
            gathered: Vec::new(),
            failures: 0,
        }
    }

    /// Sends until told to stop, then what is left, in three seconds at most.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut unsent = None;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                batch = self.next() => unsent = batch,
            }
            let Some(batch) = &unsent else { break };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = deliver(&mut self.failures, &self.settings, &*self.collector, &self.metrics, batch) => {
                    unsent = None;
                }
            }
        }
        self.finish(unsent).await;
    }

    /// The next spans, once there are many or the first waited long enough.
    /// None when no more can come.
    async fn next(&mut self) -> Option<Batch> {
        if self.gathered.is_empty() {
            // Kept at once: told to stop, this is dropped while it waits.
            let first = self.waiting.spans.recv().await?;
            self.gathered.push(first);
        }
        if self.waiting.spans.len() + self.gathered.len() < self.settings.batch {
            tokio::select! {
                () = sleep(self.settings.gather) => {}
                () = self.waiting.full.notified() => {}
            }
        }
        Some(self.gather())
    }

    fn gather(&mut self) -> Batch {
        while self.gathered.len() < self.settings.batch.max(1)
            && let Ok(span) = self.waiting.spans.try_recv()
        {
            self.gathered.push(span);
        }
        Batch::encode(mem::take(&mut self.gathered), &self.resource)
    }

    /// One try for each batch that is left, while there is time.
    async fn finish(mut self, unsent: Option<Batch>) {
        self.waiting.spans.close();
        let mut left: Vec<Batch> = unsent.into_iter().collect();
        while !self.gathered.is_empty() || !self.waiting.spans.is_empty() {
            left.push(self.gather());
        }
        let mut sent = 0;
        let all = async {
            for batch in &left {
                try_once(&*self.collector, &self.metrics, batch).await?;
                sent += 1;
            }
            Ok::<(), Untaken>(())
        };
        // Nobody is left to be told more than how many were lost.
        let _ = timeout(LAST_WORD, all).await;
        let lost: u64 = left.iter().skip(sent).map(|batch| batch.spans).sum();
        if lost > 0 {
            self.metrics.failed(lost);
            tracing::warn!(spans = lost, "traces: stopped before all spans were taken");
        }
    }
}

/// Sends a batch until it is taken or given up.
async fn deliver(
    failures: &mut u32,
    settings: &TraceSettings,
    collector: &dyn Collector,
    metrics: &TraceMetrics,
    batch: &Batch,
) {
    for tried in 1..=TRIES {
        let Err(untaken) = try_once(collector, metrics, batch).await else {
            if *failures > 0 {
                tracing::info!("traces: the collector takes spans again");
            }
            *failures = 0;
            return;
        };
        if *failures == 0 {
            tracing::warn!(why = untaken.why, "traces: the collector took no spans");
        }
        *failures = failures.saturating_add(1);
        let Retry::After(asked) = untaken.retry else {
            break;
        };
        if tried < TRIES {
            sleep(wait(*failures, asked, (settings.chance)())).await;
        }
    }
    metrics.failed(batch.spans);
}

async fn try_once(
    collector: &dyn Collector,
    metrics: &TraceMetrics,
    batch: &Batch,
) -> Result<(), Untaken> {
    let taken = collector.take(batch.body.clone()).await;
    metrics.tried(taken.is_ok());
    let rejected = batch::rejected(&taken?).min(batch.spans);
    metrics.exported(batch.spans - rejected);
    metrics.rejected(rejected);
    Ok(())
}

/// Twice as long each time, less up to a half by chance.
fn wait(failures: u32, asked: Option<Duration>, chance: f64) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1));
    let full = FIRST_WAIT.saturating_mul(doubled.unwrap_or(u32::MAX));
    let full = full.min(LONGEST_WAIT);
    let less = full.mul_f64(chance.clamp(0.0, 1.0) / 2.0);
    (full - less).max(asked.unwrap_or_default().min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_are_never_shorter_than_asked() {
        assert_eq!(wait(1, None, 0.0), FIRST_WAIT);
        assert_eq!(wait(3, None, 0.0), FIRST_WAIT * 4);
        assert_eq!(wait(3, None, 1.0), FIRST_WAIT * 2);
        for failures in [6, 31, 32, 33, u32::MAX] {
            assert_eq!(wait(failures, None, 0.0), LONGEST_WAIT, "{failures}");
        }
        let asked = Some(Duration::from_secs(7));
        assert_eq!(wait(1, asked, 1.0), Duration::from_secs(7));
        assert_eq!(wait(1, Some(Duration::MAX), 1.0), LONGEST_WAIT);
    }
}
