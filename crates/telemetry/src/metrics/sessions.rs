//! Live sessions.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

/// How a session ended, and who says so.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndLabels {
    end: &'static str,
    source: &'static str,
}

/// Live sessions, counted from the audit trail as it grows.
pub struct SessionMetrics {
    live: Gauge,
    started: Counter,
    ended: Family<EndLabels, Counter>,
    cost: Counter<f64, AtomicU64>,
}

impl SessionMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            live: Gauge::default(),
            started: Counter::default(),
            ended: Family::default(),
            cost: Counter::default(),
        };
        // Known at nought, so that the first of each is seen as a rise.
        for end in ["closed", "expired", "dropped", "ended"] {
            for source in ["measured", "reported"] {
                let _ = metrics.ended.get_or_create(&EndLabels { end, source });
            }
        }
        registry.register(
            "sessions_live",
            "Relayed and brokered sessions that last",
            metrics.live.clone(),
        );
        registry.register(
            "sessions_started",
            "Relayed and brokered sessions that began",
            metrics.started.clone(),
        );
        registry.register(
            "sessions_ended",
            "Sessions that are over: closed, expired, dropped, or ended by a rule or an operator; as measured, or as pages report",
            metrics.ended.clone(),
        );
        registry.register_with_unit(
            "sessions_cost",
            "What sessions that are over had cost, as far as it is known",
            Unit::Other("usd".to_owned()),
            metrics.cost.clone(),
        );
        metrics
    }

    /// Says how many last.
    pub fn live(&self, sessions: usize) {
        self.live.set(i64::try_from(sessions).unwrap_or(i64::MAX));
    }

    /// Counts one that began.
    pub fn started(&self) {
        self.started.inc();
    }

    /// Counts one that is over, and what it had cost in dollars.
    pub fn ended(&self, end: &'static str, source: &'static str, dollars: f64) {
        self.ended.get_or_create(&EndLabels { end, source }).inc();
        self.cost.inc_by(dollars);
    }
}

#[cfg(test)]
mod tests {
    use crate::Metrics;

    #[test]
    fn an_end_is_counted_with_its_cost() {
        let metrics = Metrics::new("x");
        metrics.sessions.live(3);
        metrics.sessions.started();
        metrics.sessions.ended("expired", "measured", 0.25);
        metrics.sessions.ended("expired", "measured", 0.5);
        let page = metrics.encode();
        for line in [
            "hallpass_sessions_live 3",
            "hallpass_sessions_started_total 1",
            "hallpass_sessions_ended_total{end=\"expired\",source=\"measured\"} 2",
            "hallpass_sessions_ended_total{end=\"dropped\",source=\"reported\"} 0",
            "hallpass_sessions_cost_usd_total 0.75",
        ] {
            assert!(page.contains(line), "{line} in {page}");
        }
    }
}
