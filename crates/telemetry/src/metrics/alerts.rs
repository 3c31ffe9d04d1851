//! Alerts, and how far those who are told of them are behind.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// A rule of the configuration, and how urgent its alerts are.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RuleLabels {
    rule: String,
    severity: &'static str,
}

/// A configured receiver.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReceiverLabels {
    receiver: String,
}

/// A try to tell a receiver.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DeliveryLabels {
    receiver: String,
    outcome: &'static str,
}

/// What became of a try to tell a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It was taken.
    Taken,
    /// It was not; it is tried again.
    Failed,
    /// It was not for so long that it is given up.
    GivenUp,
}

impl Delivery {
    const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// Alerts.
pub struct AlertMetrics {
    active: Family<RuleLabels, Gauge>,
    started: Family<RuleLabels, Counter>,
    suppressed: Counter<u64, AtomicU64>,
    deliveries: Family<DeliveryLabels, Counter>,
    waiting: Family<ReceiverLabels, Gauge<u64, AtomicU64>>,
    behind: Gauge<u64, AtomicU64>,
}

impl AlertMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            active: Family::default(),
            started: Family::default(),
            suppressed: Counter::default(),
            deliveries: Family::default(),
            waiting: Family::default(),
            behind: Gauge::default(),
        };
        registry.register(
            "alerts_active",
            "Alerts that last, by rule and severity",
            metrics.active.clone(),
        );
        registry.register(
            "alerts_started",
            "Alerts that began, by rule and severity",
            metrics.started.clone(),
        );
        registry.register(
            "alerts_suppressed",
            "Causes that were no alert of their own because their rule had too many",
            metrics.suppressed.clone(),
        );
        registry.register(
            "alert_deliveries",
            "Tries to tell a receiver of an alert, by what became of it",
            metrics.deliveries.clone(),
        );
        registry.register(
            "alert_letters_waiting",
            "Messages a receiver has not taken",
            metrics.waiting.clone(),
        );
        registry.register(
            "alert_lag_records",
            "Durable records of the trail that alerts don't know yet",
            metrics.behind.clone(),
        );
        metrics
    }

    /// Shows a rule of the configuration, with no alert yet.
    pub fn rule(&self, rule: &str, severity: &'static str) {
        self.active.get_or_create(&labels(rule, severity)).set(0);
    }

    /// Counts an alert in; one that lasted through a restart did not begin.
    pub fn started(&self, rule: &str, severity: &'static str, is_new: bool) {
        self.active.get_or_create(&labels(rule, severity)).inc();
        if is_new {
            self.started.get_or_create(&labels(rule, severity)).inc();
        }
    }

    /// Counts an alert out.
    pub fn ended(&self, rule: &str, severity: &'static str) {
        self.active.get_or_create(&labels(rule, severity)).dec();
    }

    /// Says how many causes were suppressed since the start.
    pub fn suppressed(&self, times: u64) {
        let known = self.suppressed.get();
        self.suppressed.inc_by(times.saturating_sub(known));
    }

    /// Counts a try to tell a receiver.
    pub fn delivery(&self, receiver: &str, became: Delivery) {
        let labels = DeliveryLabels {
            receiver: receiver.to_owned(),
            outcome: became.name(),
        };
        self.deliveries.get_or_create(&labels).inc();
    }

    /// Says how many messages a receiver has not taken.
    pub fn waiting(&self, receiver: &str, letters: u64) {
        let labels = ReceiverLabels {
            receiver: receiver.to_owned(),
        };
        self.waiting.get_or_create(&labels).set(letters);
    }

    /// Says how many records of the trail are not known yet.
    pub fn behind(&self, records: u64) {
        self.behind.set(records);
    }
}

fn labels(rule: &str, severity: &'static str) -> RuleLabels {
    RuleLabels {
        rule: rule.to_owned(),
        severity,
    }
}

#[cfg(test)]
mod tests {
    use crate::Metrics;

    use super::*;

    #[test]
    fn alerts_are_counted_in_and_out() {
        let metrics = Metrics::new("x");
        let alerts = &metrics.alerts;
        alerts.rule("breaker_open", "warning");
        alerts.started("breaker_open", "warning", true);
        alerts.started("breaker_open", "warning", false);
        alerts.ended("breaker_open", "warning");
        alerts.suppressed(3);
        alerts.suppressed(3);
        alerts.delivery("ops", Delivery::GivenUp);
        let page = metrics.encode();
        for line in [
            "hallpass_alerts_active{rule=\"breaker_open\",severity=\"warning\"} 1",
            "hallpass_alerts_started_total{rule=\"breaker_open\",severity=\"warning\"} 1",
            "hallpass_alerts_suppressed_total 3",
            "hallpass_alert_deliveries_total{receiver=\"ops\",outcome=\"given_up\"} 1",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }
}
