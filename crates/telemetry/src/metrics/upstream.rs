//! Calls to OpenAI: how long they take, which breakers are open, what fails.

use std::{collections::BTreeMap, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{InFlight, latency_buckets};

/// The result of a call to OpenAI.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    outcome: &'static str,
}

/// One key at one host. Only keys in force have a series.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KeyLabels {
    upstream: String,
    key: String,
}

/// A breaker's change.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ChangeLabels {
    upstream: String,
    to: &'static str,
}

/// Why mints failed.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CauseLabels {
    code: &'static str,
}

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Lets all through.
    Closed,
    /// Lets one through at a time.
    HalfOpen,
    /// Lets none through.
    Open,
}

impl Breaker {
    const fn number(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}

/// Calls to OpenAI.
pub struct UpstreamMetrics {
    duration: Family<ResultLabels, Histogram>,
    in_flight: Gauge,
    breakers: Family<KeyLabels, Gauge>,
    changes: Family<ChangeLabels, Counter>,
    recent_mints: Gauge,
    recent_failures: Family<CauseLabels, Gauge>,
    shed: Counter,
}

impl UpstreamMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            duration: Family::new_with_constructor(|| Histogram::new(latency_buckets())),
            in_flight: Gauge::default(),
            breakers: Family::default(),
            changes: Family::default(),
            recent_mints: Gauge::default(),
            recent_failures: Family::default(),
            shed: Counter::default(),
        };
        registry.register_with_unit(
            "upstream_request_duration",
            "Calls to OpenAI, by success or the code of the failure",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register(
            "upstream_requests_in_flight",
            "Calls to OpenAI under way",
            metrics.in_flight.clone(),
        );
        metrics.register_breakers(registry);
        metrics.register_recent(registry);
        metrics
    }

    fn register_breakers(&self, registry: &mut Registry) {
        registry.register(
            "breaker_state",
            "0 closed, 1 half-open, 2 open, by upstream and mark of its key",
            self.breakers.clone(),
        );
        registry.register(
            "breaker_transitions",
            "Changes of a breaker's state",
            self.changes.clone(),
        );
        registry.register(
            "mints_shed",
            "Requests for a secret refused because too many were under way",
            self.shed.clone(),
        );
    }

    fn register_recent(&self, registry: &mut Registry) {
        registry.register(
            "mints_recent",
            "Mints that ended within the last 5 minutes",
            self.recent_mints.clone(),
        );
        registry.register(
            "mint_failures_recent",
            "Mints that failed within the last 5 minutes, by code",
            self.recent_failures.clone(),
        );
    }

    /// Counts a mint in; dropping the guard counts it out.
    #[must_use]
    pub fn enter(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Notes a finished call.
    pub fn finished(&self, outcome: &'static str, duration: Duration) {
        self.duration
            .get_or_create(&ResultLabels { outcome })
            .observe(duration.as_secs_f64());
    }

    /// Shows a breaker's state. `upstream` is a configured name, `key` the mark
    /// of its key.
    pub fn breaker(&self, upstream: &str, key: &str, state: Breaker) {
        let labels = KeyLabels {
            upstream: upstream.to_owned(),
            key: key.to_owned(),
        };
        self.breakers.get_or_create(&labels).set(state.number());
    }

    /// Shows and counts a breaker's change.
    pub fn breaker_changed(&self, upstream: &str, key: &str, to: Breaker) {
        self.breaker(upstream, key, to);
        let labels = ChangeLabels {
            upstream: upstream.to_owned(),
            to: to.name(),
        };
        self.changes.get_or_create(&labels).inc();
    }

    /// Forgets all breakers, before those of other keys are shown.
    pub fn forget_breakers(&self) {
        self.breakers.clear();
    }

    /// Shows how mints ended lately.
    pub fn failures_recently(&self, mints: u32, failures: &BTreeMap<&'static str, u32>) {
        self.recent_mints.set(i64::from(mints));
        self.recent_failures.clear();
        for (code, count) in failures {
            let labels = CauseLabels { code };
            self.recent_failures
                .get_or_create(&labels)
                .set(i64::from(*count));
        }
    }

    /// Counts a request that was refused because too many were under way.
    pub fn shed(&self) {
        self.shed.inc();
    }
}

#[cfg(test)]
mod tests {
    use crate::Metrics;

    use super::*;

    #[test]
    fn a_key_that_is_replaced_has_no_series_any_more() {
        let metrics = Metrics::new("x");
        let upstream = &metrics.upstream;
        upstream.breaker_changed("openai", "0a1b", Breaker::Open);
        let page = metrics.encode();
        let state = "hallpass_breaker_state{upstream=\"openai\",key=\"0a1b\"} 2";
        let change = "hallpass_breaker_transitions_total{upstream=\"openai\",to=\"open\"} 1";
        assert!(page.contains(state) && page.contains(change), "{page}");
        upstream.forget_breakers();
        upstream.breaker("openai", "ffff", Breaker::Closed);
        let page = metrics.encode();
        assert!(!page.contains("0a1b") && page.contains(change), "{page}");
    }

    #[test]
    fn causes_that_are_over_are_not_shown() {
        let metrics = Metrics::new("x");
        let failures = BTreeMap::from([("upstream_timeout", 3)]);
        metrics.upstream.failures_recently(4, &failures);
        let line = "hallpass_mint_failures_recent{code=\"upstream_timeout\"} 3";
        assert!(metrics.encode().contains(line));
        metrics.upstream.failures_recently(0, &BTreeMap::new());
        assert!(!metrics.encode().contains(line));
    }
}
