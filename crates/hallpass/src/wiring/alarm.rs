//! Tells log, metrics and trail when too many mints fail, and when they don't.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    code::Code,
    ports::{AuditLog, Clock},
};
use hallpass_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use super::failure_rate::{FailureRate, Recent, Threshold, Turn};

/// How often the window is looked at while nothing is minted.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The alarm on mints that fail.
pub(crate) struct Alarm {
    started: Instant,
    rate: Mutex<FailureRate>,
    metrics: Arc<Metrics>,
    audit: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
}

impl Alarm {
    pub(crate) fn new(
        threshold: Threshold,
        metrics: Arc<Metrics>,
        audit: Arc<dyn AuditLog>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            started: Instant::now(),
            rate: Mutex::new(FailureRate::new(threshold)),
            metrics,
            audit,
            clock,
        }
    }

    /// Counts a mint that ended; `failure` is its code where it failed.
    pub(crate) fn note(&self, failure: Option<Code>) {
        let now = self.started.elapsed();
        let turn = {
            let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
            rate.note(now, failure.map(Code::as_str));
            failure.and_then(|_| rate.judge(now))
        };
        self.tell(turn);
    }

    /// Looks at the window until told to stop.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => self.look(),
            }
        }
    }

    fn look(&self) {
        let now = self.started.elapsed();
        let (turn, recent) = {
            let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
            (rate.judge(now), rate.recent(now))
        };
        self.metrics
            .upstream
            .failures_recently(recent.mints, &recent.failures);
        self.tell(turn);
    }

    fn tell(&self, turn: Option<Turn>) {
        let Some(Turn { raised, recent }) = turn else {
            return;
        };
        let (percent, causes) = (recent.percent(), causes(&recent));
        self.metrics.upstream.alarm(raised);
        self.metrics
            .upstream
            .failures_recently(recent.mints, &recent.failures);
        if raised {
            tracing::error!(percent, mints = recent.mints, causes, "mints fail");
        } else {
            tracing::warn!(percent, mints = recent.mints, "mints succeed again");
        }
        let outcome = match recent.main_cause().and_then(|code| code.parse().ok()) {
            Some(code) if raised => Outcome::Failed {
                code,
                reason: Some(format!("{percent} % of {} mints failed", recent.mints)),
            },
            _ => Outcome::Success,
        };
        let mut event = AuditEvent::outcome(self.clock.now(), Action::Anomaly, outcome);
        event.facts = vec![
            ("alarm", "mint_failures".to_owned()),
            ("state", if raised { "raised" } else { "ended" }.to_owned()),
            ("percent", percent.to_string()),
            ("causes", causes),
        ];
        drop(self.audit.append(event));
    }
}

fn causes(recent: &Recent) -> String {
    let causes = recent.failures.iter();
    let causes = causes.map(|(code, count)| format!("{code} {count}"));
    causes.collect::<Vec<_>>().join(", ")
}
