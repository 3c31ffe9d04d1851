//! Tells log, metrics and trail when a failure policy begins and ends.

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    code::Code,
    ports::{AuditLog, Clock, StoreError},
    revocation::Revocation,
};
use hallpass_store_redis::{FreshnessObserver, LinkObserver};
use hallpass_telemetry::Metrics;

/// What follows revocations, by its name.
pub(super) const TASK: &str = "revocation-sync";

/// What holds while Redis is away, as it stands in the trail.
const WITHOUT_REDIS: &str = "limits by each replica's share; passes neither made nor taken; revocations by PostgreSQL alone";

/// What holds while revocations are not known.
const WITHOUT_REVOCATIONS: &str = "nobody is let through";

/// Makes records, log lines and figures of what becomes of the shared store.
pub(crate) struct Told {
    metrics: Arc<Metrics>,
    audit: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
}

impl Told {
    pub(super) fn new(
        metrics: Arc<Metrics>,
        audit: Arc<dyn AuditLog>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            metrics,
            audit,
            clock,
        }
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn record(
        &self,
        alarm: &'static str,
        raised: Option<(Code, String)>,
        more: (&'static str, String),
    ) {
        let state = if raised.is_some() { "raised" } else { "ended" };
        let outcome = match raised {
            Some((code, why)) => Outcome::Failed {
                code,
                reason: Some(why),
            },
            None => Outcome::Success,
        };
        let mut event = AuditEvent::outcome(self.clock.now(), Action::Anomaly, outcome);
        event.facts = vec![
            ("alarm", alarm.to_owned()),
            ("state", state.to_owned()),
            more,
        ];
        drop(self.audit.append(event));
    }
}

impl FreshnessObserver for Told {
    fn read(&self) {
        let now = self.clock.now().as_duration().as_secs_f64();
        self.metrics.tasks.succeeded(TASK, now);
    }

    fn failed(&self, error: &StoreError) {
        tracing::warn!(%error, "revocations can't be read; trying again");
    }

    fn ended(&self, revocation: &Revocation, sessions: u64) {
        tracing::info!(
            revocation = %revocation.id,
            sessions,
            "live sessions ended by a revocation of another replica"
        );
    }

    fn knows(&self, age: Duration, fresh: bool) {
        self.metrics.store.revocations(age, fresh);
    }

    fn turned(&self, fresh: bool, age: Duration) {
        let age_ms = age.as_millis().to_string();
        if fresh {
            tracing::warn!(age_ms, "revocations are known again: this replica serves");
            self.record("revocations_stale", None, ("age_ms", age_ms));
            return;
        }
        tracing::error!(
            age_ms,
            "nothing was heard of revocations for too long: this replica lets nobody through until it is"
        );
        let why = format!("nothing heard for {age_ms} ms");
        let raised = Some((Code::RevocationsStale, why));
        let policy = ("policy", WITHOUT_REVOCATIONS.to_owned());
        self.record("revocations_stale", raised, policy);
    }
}

impl LinkObserver for Told {
    fn lost(&self, why: &str) {
        self.metrics.store.lost();
        tracing::error!(
            why,
            "Redis is away: limits go by this replica's share, and no pass is made or taken"
        );
        let raised = Some((Code::StoreUnavailable, why.to_owned()));
        self.record("shared_store", raised, ("policy", WITHOUT_REDIS.to_owned()));
    }

    fn regained(&self, after: Duration) {
        self.metrics.store.regained();
        let away_ms = after.as_millis().to_string();
        tracing::warn!(away_ms, "Redis is back: replicas count together again");
        self.record("shared_store", None, ("away_ms", away_ms));
    }

    fn emptied(&self) {
        self.metrics.store.emptied();
        tracing::error!(
            "Redis lost what it held: limits begin anew, and passes made before are unknown"
        );
        let mut event = AuditEvent::outcome(
            self.clock.now(),
            Action::Anomaly,
            Outcome::Failed {
                code: Code::StoreUnavailable,
                reason: Some("Redis lost what it held".to_owned()),
            },
        );
        event.facts = vec![("alarm", "shared_store_emptied".to_owned())];
        drop(self.audit.append(event));
    }
}
