//! What is counted, under names and units of the Prometheus convention.
//!
//! Labels come from small closed sets; what concerns one person is in the
//! audit trail, never in a label.

use std::{fmt::Write, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        exemplar::HistogramWithExemplars,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::{Registry, Unit},
};

mod alerts;
mod sessions;
mod store;
mod table;
mod traces;
mod upstream;

pub use alerts::{AlertMetrics, Delivery};
pub use sessions::SessionMetrics;
pub use store::StoreMetrics;
pub use table::table;
pub use traces::TraceMetrics;
pub use upstream::{Breaker, UpstreamMetrics};

/// Everything Hallpass counts.
pub struct Metrics {
    registry: Registry,
    /// Requests.
    pub http: HttpMetrics,
    /// Client secrets.
    pub mint: MintMetrics,
    /// Live sessions.
    pub sessions: SessionMetrics,
    /// Calls to OpenAI.
    pub upstream: UpstreamMetrics,
    /// The audit trail.
    pub audit: AuditMetrics,
    /// Work in the background.
    pub tasks: TaskMetrics,
    /// What replicas share.
    pub store: StoreMetrics,
    /// Alerts.
    pub alerts: AlertMetrics,
    /// Spans of traces.
    pub traces: TraceMetrics,
}

impl Metrics {
    /// Registers every metric, all at nought.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::with_prefix("hallpass");
        let build = Info::new([("version", version)]);
        registry.register("build", "The running program", build);
        Self {
            http: HttpMetrics::register(&mut registry),
            mint: MintMetrics::register(&mut registry),
            sessions: SessionMetrics::register(&mut registry),
            upstream: UpstreamMetrics::register(&mut registry),
            audit: AuditMetrics::register(&mut registry),
            tasks: TaskMetrics::register(&mut registry),
            store: StoreMetrics::register(&mut registry),
            alerts: AlertMetrics::register(&mut registry),
            traces: TraceMetrics::register(&mut registry),
            registry,
        }
    }

    /// All metrics in the `OpenMetrics` text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut page = String::with_capacity(16 * 1024);
        if text::encode(&mut page, &self.registry).is_err() {
            // Writing into a String fails only where a value can't be shown.
            page.clear();
            let _ = page.write_str("# EOF\n");
        }
        page
    }
}

/// A request's place and result.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HttpLabels {
    method: &'static str,
    route: &'static str,
    status: u16,
}

/// The trace an exemplar leads to.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TraceLabels {
    trace_id: String,
}

/// Requests.
pub struct HttpMetrics {
    requests: Family<HttpLabels, Counter>,
    duration: HistogramWithExemplars<TraceLabels>,
    in_flight: Gauge,
    panics: Counter,
}

impl HttpMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: HistogramWithExemplars::new(latency_buckets()),
            in_flight: Gauge::default(),
            panics: Counter::default(),
        };
        registry.register(
            "http_requests",
            "Requests answered",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "From the request's head to its answer's",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests being answered",
            metrics.in_flight.clone(),
        );
        registry.register(
            "http_panics",
            "Requests that ended in a defect",
            metrics.panics.clone(),
        );
        metrics
    }

    /// Counts a request in; dropping the guard counts it out.
    #[must_use]
    pub fn enter(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts an answered request; one that is traced is an example of its
    /// duration.
    pub fn answered(
        &self,
        method: &'static str,
        route: &'static str,
        status: u16,
        duration: Duration,
        trace_id: Option<String>,
    ) {
        self.requests
            .get_or_create(&HttpLabels {
                method,
                route,
                status,
            })
            .inc();
        let trace = trace_id.map(|trace_id| TraceLabels { trace_id });
        self.duration.observe(duration.as_secs_f64(), trace, None);
    }

    /// Counts a request that ended in a defect.
    pub fn panicked(&self) {
        self.panics.inc();
    }
}

/// A request being answered.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A mint's profile and result.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct MintLabels {
    profile: String,
    outcome: &'static str,
}

/// Client secrets.
pub struct MintMetrics {
    mints: Family<MintLabels, Counter>,
}

impl MintMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            mints: Family::default(),
        };
        registry.register(
            "mints",
            "Requests for a client secret, by profile and by success or the code of the refusal",
            metrics.mints.clone(),
        );
        metrics
    }

    /// Counts a request for a secret. `profile` is a configured name, or empty
    /// where the request ended before one was chosen.
    pub fn finished(&self, profile: &str, outcome: &'static str) {
        let labels = MintLabels {
            profile: profile.to_owned(),
            outcome,
        };
        self.mints.get_or_create(&labels).inc();
    }
}

/// The audit trail.
pub struct AuditMetrics {
    sync: Histogram,
    batch: Histogram,
    records: Counter,
    writable: Gauge<i64>,
    waiting: Gauge<u64, AtomicU64>,
    checkpoint: Gauge<u64, AtomicU64>,
    checkpoint_failures: Counter,
    kept: Gauge,
    lag: Family<ReceiverLabels, Gauge<u64, AtomicU64>>,
}

/// Who is sent the trail's records.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReceiverLabels {
    receiver: String,
}

impl AuditMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            sync: Histogram::new(exponential_buckets(0.000_05, 2.0, 16)),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            records: Counter::default(),
            writable: Gauge::default(),
            waiting: Gauge::default(),
            checkpoint: Gauge::default(),
            checkpoint_failures: Counter::default(),
            kept: Gauge::default(),
            lag: Family::default(),
        };
        metrics.register_beside(registry);
        metrics.writable.set(1);
        registry.register_with_unit(
            "audit_sync_duration",
            "Making one batch of records durable",
            Unit::Seconds,
            metrics.sync.clone(),
        );
        registry.register(
            "audit_batch_records",
            "Records made durable at once",
            metrics.batch.clone(),
        );
        registry.register(
            "audit_records",
            "Records made durable",
            metrics.records.clone(),
        );
        registry.register(
            "audit_writable",
            "1 while the trail can be written",
            metrics.writable.clone(),
        );
        registry.register(
            "registry_waiting_grants",
            "Grants in the trail that the registry's file does not hold yet",
            metrics.waiting.clone(),
        );
        metrics
    }

    fn register_beside(&self, registry: &mut Registry) {
        registry.register(
            "audit_checkpoint_records",
            "Records of the trail that the last signed checkpoint states",
            self.checkpoint.clone(),
        );
        registry.register(
            "audit_checkpoint_failures",
            "Checkpoints that could not be made",
            self.checkpoint_failures.clone(),
        );
        registry.register_with_unit(
            "audit_keeper_last_success_timestamp",
            "When old segments were last looked after, since 1970",
            Unit::Seconds,
            self.kept.clone(),
        );
        registry.register(
            "audit_shipping_lag_records",
            "Durable records a receiver has not taken",
            self.lag.clone(),
        );
    }

    /// Notes how many records the newest checkpoint states.
    pub fn checkpoint(&self, records: u64) {
        self.checkpoint.set(records);
    }

    /// Counts a checkpoint that could not be made.
    pub fn checkpoint_failed(&self) {
        self.checkpoint_failures.inc();
    }

    /// Notes when old segments were looked after, in seconds since 1970.
    pub fn kept(&self, at: i64) {
        self.kept.set(at);
    }

    /// Notes how many records a receiver has not taken.
    pub fn shipping_lag(&self, receiver: &str, records: u64) {
        let labels = ReceiverLabels {
            receiver: receiver.to_owned(),
        };
        self.lag.get_or_create(&labels).set(records);
    }

    /// Notes a batch that was made durable.
    pub fn synced(&self, records: usize, duration: Duration) {
        self.sync.observe(duration.as_secs_f64());
        #[allow(
            clippy::cast_precision_loss,
            reason = "a batch is far below 2^52 records"
        )]
        self.batch.observe(records as f64);
        self.records
            .inc_by(u64::try_from(records).unwrap_or(u64::MAX));
    }

    /// Notes that the trail can't be written any more.
    pub fn set_writable(&self, writable: bool) {
        self.writable.set(writable.into());
    }

    /// Notes how many grants wait for the registry's file.
    pub fn waiting(&self, grants: usize) {
        self.waiting.set(u64::try_from(grants).unwrap_or(u64::MAX));
    }
}

/// A task's name.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TaskLabels {
    task: &'static str,
}

/// Work in the background.
pub struct TaskMetrics {
    last_success: Family<TaskLabels, Gauge<f64, AtomicU64>>,
    alive: Gauge,
}

impl TaskMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            last_success: Family::default(),
            alive: Gauge::default(),
        };
        registry.register(
            "tasks_alive",
            "Tasks of the runtime that have not ended: connections, requests, background work",
            metrics.alive.clone(),
        );
        registry.register_with_unit(
            "task_last_success_timestamp",
            "When a background task last did what it is for, since 1970",
            Unit::Seconds,
            metrics.last_success.clone(),
        );
        metrics
    }

    /// Says how many tasks have not ended.
    pub fn alive(&self, tasks: usize) {
        self.alive.set(i64::try_from(tasks).unwrap_or(i64::MAX));
    }

    /// Notes that a task did its work, at a time in seconds since 1970.
    pub fn succeeded(&self, task: &'static str, at: f64) {
        self.last_success
            .get_or_create(&TaskLabels { task })
            .set(at);
    }
}

/// From half a millisecond to eight seconds.
fn latency_buckets() -> impl Iterator<Item = f64> {
    exponential_buckets(0.000_5, 2.0, 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_convention() {
        let metrics = Metrics::new("1.2.3");
        metrics.mint.finished("interview", "success");
        metrics.http.answered(
            "POST",
            "/api/generate-client-secret",
            201,
            Duration::from_millis(3),
            Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        );
        metrics
            .upstream
            .finished("success", Duration::from_millis(2));
        metrics.audit.synced(3, Duration::from_micros(200));
        let page = metrics.encode();
        for line in [
            "hallpass_build_info{version=\"1.2.3\"} 1",
            "hallpass_mints_total{profile=\"interview\",outcome=\"success\"} 1",
            "hallpass_http_requests_total{method=\"POST\",route=\"/api/generate-client-secret\",status=\"201\"} 1",
            "# {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 0.003",
            "hallpass_audit_records_total 3",
            "hallpass_audit_sync_duration_seconds_count 1",
            "hallpass_upstream_request_duration_seconds_count{outcome=\"success\"} 1",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }

    #[test]
    fn a_request_is_counted_out_when_its_guard_drops() {
        let metrics = Metrics::new("x");
        let guard = metrics.http.enter();
        assert!(
            metrics
                .encode()
                .contains("hallpass_http_requests_in_flight 1")
        );
        drop(guard);
        assert!(
            metrics
                .encode()
                .contains("hallpass_http_requests_in_flight 0")
        );
    }
}
