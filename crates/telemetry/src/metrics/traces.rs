//! Spans, and what became of them.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Spans of traces. Clones count together.
#[derive(Clone, Debug)]
pub struct TraceMetrics {
    spans: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
    exports: Family<OutcomeLabels, Counter<u64, AtomicU64>>,
}

impl TraceMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            spans: Family::default(),
            exports: Family::default(),
        };
        registry.register(
            "trace_spans",
            "Spans by what became of them: exported, dropped from a full queue, rejected by the collector, or failed to be sent",
            metrics.spans.clone(),
        );
        registry.register(
            "trace_exports",
            "Requests to the collector, by whether it took them",
            metrics.exports.clone(),
        );
        metrics
    }

    /// Shows every series, before anything happened.
    pub fn shown(&self) {
        for outcome in ["exported", "dropped", "rejected", "failed"] {
            self.count(outcome, 0);
        }
    }

    fn count(&self, outcome: &'static str, spans: u64) {
        let labels = OutcomeLabels { outcome };
        self.spans.get_or_create(&labels).inc_by(spans);
    }

    /// Counts spans the collector has.
    pub(crate) fn exported(&self, spans: u64) {
        self.count("exported", spans);
    }

    /// Counts spans for which there was no room.
    pub(crate) fn dropped(&self, spans: u64) {
        self.count("dropped", spans);
    }

    /// Counts spans of a request it took the rest of.
    pub(crate) fn rejected(&self, spans: u64) {
        self.count("rejected", spans);
    }

    /// Counts spans that were given up.
    pub(crate) fn failed(&self, spans: u64) {
        self.count("failed", spans);
    }

    /// Counts one request to the collector.
    pub(crate) fn tried(&self, taken: bool) {
        let outcome = if taken { "taken" } else { "failed" };
        self.exports.get_or_create(&OutcomeLabels { outcome }).inc();
    }
}
