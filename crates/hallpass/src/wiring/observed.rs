//! Watches the parts for metrics, trail and health.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hallpass_audit::TrailObserver;
use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    code::Code,
    ports::{AuditLog, Clock, MintFailure, MintOrder, MintedSecret, Minter},
};
use hallpass_http::{BreakerWish, Health, Unwell, UpstreamStatus};
use hallpass_telemetry::{Breaker, Metrics, traces::step};
use hallpass_upstream::{BreakerChange, BreakerState, Pool, PoolObserver, TargetStatus};

use super::{recent_mints::RecentMints, traces::HttpCollector};

/// A minter whose results are counted.
pub(crate) struct ObservedMinter {
    pub(crate) pool: Arc<Pool>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) recent: Arc<RecentMints>,
}

#[async_trait]
impl Minter for ObservedMinter {
    async fn mint(&self, order: MintOrder) -> Result<MintedSecret, Box<MintFailure>> {
        let _in_flight = self.metrics.upstream.enter();
        let result = step("ask upstream", self.pool.mint(order)).await;
        // A refused override is the caller's fault, and no failure.
        let code = result.as_ref().err().map(|failure| failure.refusal.code);
        self.recent.note(code.filter(|code| code.is_failure()));
        result
    }
}

/// Makes metrics, log lines and records of what the pool does.
pub(crate) struct PoolTold {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) audit: Arc<dyn AuditLog>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl PoolObserver for PoolTold {
    fn attempted(&self, _: &str, outcome: &'static str, duration: Duration) {
        self.metrics.upstream.finished(outcome, duration);
    }

    fn breaker_changed(&self, change: &BreakerChange) {
        let (upstream, key) = (&*change.upstream, &*change.key);
        let metrics = &self.metrics.upstream;
        metrics.breaker_changed(upstream, key, gauge(change.to));
        log(change);
        let outcome = match change.cause {
            Some(code) if change.to == BreakerState::Open => Outcome::Failed { code, reason: None },
            _ => Outcome::Success,
        };
        let mut event = AuditEvent::outcome(self.clock.now(), Action::BreakerChange, outcome);
        event.facts = vec![
            ("upstream", upstream.to_owned()),
            ("upstream_key", key.to_owned()),
            ("from", change.from.as_str().to_owned()),
            ("to", change.to.as_str().to_owned()),
            ("forced", change.forced.to_string()),
        ];
        let open_for = change.open_for.map(|time| time.as_millis().to_string());
        event
            .facts
            .extend(open_for.map(|time| ("open_for_ms", time)));
        drop(self.audit.append(event));
    }
}

fn log(change: &BreakerChange) {
    let (upstream, key, to) = (&*change.upstream, &*change.key, change.to.as_str());
    let cause = change.cause.map(Code::as_str);
    match (change.to, change.cause) {
        (BreakerState::Open, Some(Code::UpstreamKeyRefused)) => tracing::error!(
            upstream,
            key,
            "OpenAI refuses this upstream's standard key: put a good one in place, no restart is needed"
        ),
        (BreakerState::Open, _) => tracing::error!(
            upstream,
            key,
            cause,
            forced = change.forced,
            "the breaker opened: this upstream is left alone for a while"
        ),
        _ => tracing::warn!(upstream, key, to, "the breaker changed"),
    }
}

const fn gauge(state: BreakerState) -> Breaker {
    match state {
        BreakerState::Closed => Breaker::Closed,
        BreakerState::HalfOpen => Breaker::HalfOpen,
        BreakerState::Open => Breaker::Open,
    }
}

/// Shows the states of a pool's targets, and of none that it had before.
pub(crate) fn show_breakers(pool: &Pool, metrics: &Metrics) {
    metrics.upstream.forget_breakers();
    for status in pool.status() {
        let state = gauge(status.breaker);
        metrics.upstream.breaker(&status.name, &status.key, state);
    }
}

/// What `/health` and the admin API tell.
pub(crate) struct Parts {
    pub(crate) pool: Arc<Pool>,
    pub(crate) waiting: Arc<dyn Fn() -> usize + Send + Sync>,
    pub(crate) recent: Arc<RecentMints>,
    /// Where spans are sent; none where nothing is traced.
    pub(crate) collector: Option<Arc<HttpCollector>>,
}

impl Health for Parts {
    fn upstreams(&self) -> Vec<UpstreamStatus> {
        self.pool.status().into_iter().map(status).collect()
    }

    fn force_breaker(&self, name: &str, wish: BreakerWish) -> bool {
        let wish = match wish {
            BreakerWish::Open => Some(BreakerState::Open),
            BreakerWish::Closed => Some(BreakerState::Closed),
            BreakerWish::Auto => None,
        };
        self.pool.force(name, wish)
    }

    fn waiting_grants(&self) -> usize {
        (self.waiting)()
    }

    fn mint_failed(&self, code: Code) {
        self.recent.note(Some(code));
    }

    fn beside(&self) -> Vec<Unwell> {
        let collector = self.collector.as_ref();
        let failing = collector.and_then(|collector| collector.failing());
        let unwell = failing.map(|(since, why)| Unwell {
            part: "traces",
            what: format!("the collector takes no spans: {why}"),
            since,
        });
        unwell.into_iter().collect()
    }
}

fn status(status: TargetStatus) -> UpstreamStatus {
    UpstreamStatus {
        name: status.name,
        key: status.key,
        weight: status.weight,
        breaker: status.breaker.as_str(),
        forced: status.forced,
        since: status.since,
        cause: status.cause.map(Code::as_str),
        retry_in: status.retry_in,
        last_success: status.last_success,
        last_failure: status
            .last_failure
            .map(|(time, code)| (time, code.as_str())),
        consecutive_failures: status.failures_in_a_row,
    }
}

/// Makes metrics of what the trail tells.
pub(crate) struct TrailMetrics(pub(crate) Arc<Metrics>);

impl TrailObserver for TrailMetrics {
    fn synced(&self, records: usize, _write: Duration, sync: Duration) {
        self.0.audit.synced(records, sync);
    }

    fn stalled(&self, stalled: bool) {
        self.0.audit.set_writable(!stalled);
    }

    fn poisoned(&self, why: &str) {
        self.0.audit.set_writable(false);
        tracing::error!(
            why,
            "the audit trail can't be written: no credential is issued until the disk is mended and the server restarted"
        );
    }
}
