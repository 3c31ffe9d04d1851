//! Watches the parts for metrics and health.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use hallpass_audit::TrailObserver;
use hallpass_core::ports::{Clock, MintFailure, MintOrder, MintedSecret, Minter};
use hallpass_http::{Health, UpstreamHealth};
use hallpass_store_sqlite::SqliteGrants;
use hallpass_telemetry::Metrics;

/// A minter whose calls are timed and remembered.
pub(crate) struct ObservedMinter<M> {
    inner: M,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    health: Mutex<UpstreamHealth>,
}

impl<M> ObservedMinter<M> {
    pub(crate) fn new(inner: M, name: &str, metrics: Arc<Metrics>, clock: Arc<dyn Clock>) -> Self {
        let health = UpstreamHealth {
            name: name.to_owned(),
            ..UpstreamHealth::default()
        };
        Self {
            inner,
            metrics,
            clock,
            health: Mutex::new(health),
        }
    }

    fn health(&self) -> UpstreamHealth {
        self.health
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, result: &Result<MintedSecret, Box<MintFailure>>) {
        let now = self.clock.now();
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) => {
                health.last_success = Some(now);
                health.consecutive_failures = 0;
            }
            // A refused override is the caller's fault, and says OpenAI is well.
            Err(failure) if failure.refusal.code.is_failure() => {
                health.last_failure = Some((now, failure.refusal.code.as_str()));
                health.consecutive_failures = health.consecutive_failures.saturating_add(1);
            }
            Err(_) => {}
        }
    }
}

#[async_trait]
impl<M: Minter> Minter for ObservedMinter<M> {
    async fn mint(&self, order: MintOrder) -> Result<MintedSecret, Box<MintFailure>> {
        let _in_flight = self.metrics.upstream.enter();
        let started = Instant::now();
        let result = self.inner.mint(order).await;
        let outcome = result
            .as_ref()
            .map_or_else(|failure| failure.refusal.code.as_str(), |_| "success");
        self.metrics.upstream.finished(outcome, started.elapsed());
        self.note(&result);
        result
    }
}

/// What `/health` tells.
pub(crate) struct Parts<M> {
    pub(crate) minter: Arc<ObservedMinter<M>>,
    pub(crate) grants: Arc<SqliteGrants>,
}

impl<M: Minter> Health for Parts<M> {
    fn upstream(&self) -> UpstreamHealth {
        self.minter.health()
    }

    fn waiting_grants(&self) -> usize {
        self.grants.waiting()
    }
}

/// Makes metrics of what the trail tells.
pub(crate) struct TrailMetrics(pub(crate) Arc<Metrics>);

impl TrailObserver for TrailMetrics {
    fn synced(&self, records: usize, _write: Duration, sync: Duration) {
        self.0.audit.synced(records, sync);
    }

    fn poisoned(&self, why: &str) {
        self.0.audit.unwritable();
        tracing::error!(
            why,
            "the audit trail can't be written: no credential is issued until the disk is mended and the server restarted"
        );
    }
}
