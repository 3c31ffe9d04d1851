//! Rules: what is watched, and from where on it is an alert.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How urgent an alert is; a later one is more urgent.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// To be known.
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

/// What a rule watches.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RuleKind {
    /// A key stands in what an app's pages serve.
    KeyInClientCode,
    /// Mints fail: failures in a hundred.
    MintFailures,
    /// One user obtains many client secrets.
    TokensPerUser,
    /// An upstream is left alone because it fails.
    BreakerOpen,
    /// An upstream refuses its standard key.
    UpstreamKeyRefused,
    /// The audit trail can't be written, or not looked after.
    AuditFailing,
    /// Somebody who is sent the trail does not take it.
    AuditLagging,
    /// The newest checkpoint did not reach its second place.
    CheckpointUndelivered,
    /// A pass was used a second time.
    PassReused,
    /// A caller or an address is refused again and again.
    RefusalsBurst,
    /// Something else that looks like an attack.
    SuspiciousUse,
    /// Much of a day's budget is used: hundredths.
    BudgetNear,
    /// A day's budget is used up: hundredths.
    BudgetExhausted,
    /// A certificate or key ends soon: days left.
    Expiring,
    /// An app's pages could not be scanned.
    ScanFailing,
}

/// How a rule comes by its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The share of failures among the mints of its window.
    Share,
    /// How often something happened to each cause within its window.
    Count,
    /// It happened; over when it did not happen again for the window.
    Event,
    /// How things are now.
    Level,
}

/// When a value is beyond a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Above it.
    Above,
    /// At it or above.
    AtLeast,
    /// Below it.
    Below,
}

impl Comparison {
    /// Whether a value is beyond a threshold.
    #[must_use]
    pub fn is_beyond(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Above => value > threshold,
            Self::AtLeast => value >= threshold,
            Self::Below => value < threshold,
        }
    }
}

impl RuleKind {
    /// Its name, as configuration, metrics and trail write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// How its values come.
    #[must_use]
    pub const fn measure(self) -> Measure {
        match self {
            Self::MintFailures => Measure::Share,
            Self::TokensPerUser => Measure::Count,
            Self::PassReused | Self::RefusalsBurst | Self::SuspiciousUse => Measure::Event,
            Self::KeyInClientCode
            | Self::BreakerOpen
            | Self::UpstreamKeyRefused
            | Self::AuditFailing
            | Self::AuditLagging
            | Self::CheckpointUndelivered
            | Self::BudgetNear
            | Self::BudgetExhausted
            | Self::Expiring
            | Self::ScanFailing => Measure::Level,
        }
    }

    /// When its values are beyond the threshold.
    #[must_use]
    pub const fn comparison(self) -> Comparison {
        match self {
            Self::MintFailures | Self::TokensPerUser => Comparison::Above,
            Self::Expiring => Comparison::Below,
            _ => Comparison::AtLeast,
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::KeyInClientCode | Self::AuditFailing | Self::UpstreamKeyRefused => {
                Severity::Critical
            }
            Self::TokensPerUser => Severity::Info,
            _ => Severity::Warning,
        }
    }

    /// Threshold, and the value at which it is over again.
    const fn bounds(self) -> (f64, f64) {
        match self {
            Self::MintFailures => (5.0, 2.5),
            Self::TokensPerUser => (10.0, 8.0),
            Self::BudgetNear => (80.0, 79.0),
            Self::BudgetExhausted => (100.0, 99.0),
            // Days.
            Self::Expiring => (14.0, 15.0),
            // What is, or is not.
            _ => (1.0, 0.0),
        }
    }

    const fn window(self) -> Duration {
        match self.measure() {
            Measure::Count => Duration::from_secs(3600),
            // Longer than the detectors wait before they tell the same again.
            Measure::Event => Duration::from_secs(900),
            Measure::Share | Measure::Level => Duration::from_secs(300),
        }
    }

    /// How long it has to last, so that a hiccup is no alert.
    const fn hold(self) -> Duration {
        match self {
            Self::AuditLagging | Self::ScanFailing => Duration::from_secs(60),
            Self::CheckpointUndelivered => Duration::from_secs(300),
            _ => Duration::ZERO,
        }
    }

    /// How long it has to be well before it is over, so that it does not flutter.
    const fn settle(self) -> Duration {
        match self {
            Self::BreakerOpen | Self::AuditLagging | Self::CheckpointUndelivered => {
                Duration::from_secs(30)
            }
            _ => Duration::ZERO,
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name, unlike any other's.
    pub name: String,
    /// What it watches.
    pub kind: RuleKind,
    /// How urgent its alerts are.
    pub severity: Severity,
    /// The value beyond which it fires.
    pub threshold: f64,
    /// The value at which it is over again.
    pub resolve: f64,
    /// Mints in the window before their share counts.
    pub min_mints: u32,
    /// How far back it looks; of events, how long one is remembered.
    pub window: Duration,
    /// How long it has to be beyond the threshold before it fires.
    pub hold: Duration,
    /// How long it has to be well before it is over.
    pub settle: Duration,
}

impl Rule {
    /// The rule of a kind that needs no configuration; its name is the kind's.
    #[must_use]
    pub fn standard(kind: RuleKind) -> Self {
        let (threshold, resolve) = kind.bounds();
        Self {
            name: kind.as_str().to_owned(),
            kind,
            severity: kind.severity(),
            threshold,
            resolve,
            min_mints: 20,
            window: kind.window(),
            hold: kind.hold(),
            settle: kind.settle(),
        }
    }

    /// Whether a value is beyond its threshold.
    #[must_use]
    pub fn is_beyond(&self, value: f64) -> bool {
        self.kind.comparison().is_beyond(value, self.threshold)
    }

    /// Whether a value is well again.
    #[must_use]
    pub fn is_well(&self, value: f64) -> bool {
        match self.kind.comparison() {
            Comparison::Above | Comparison::AtLeast => value <= self.resolve,
            Comparison::Below => value >= self.resolve,
        }
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn no_value_is_beyond_a_threshold_and_well_again() {
        for kind in RuleKind::iter() {
            let rule = Rule::standard(kind);
            assert!(rule.is_well(rule.resolve), "{kind}");
            assert!(!rule.is_beyond(rule.resolve), "{kind}");
            for value in [0.0, 1.0, 5.0, 10.0, 14.0, 80.0, 99.5, 100.0] {
                assert!(!(rule.is_beyond(value) && rule.is_well(value)), "{kind}");
            }
        }
    }

    #[test]
    fn the_thresholds_of_the_requirement_are_the_defaults() {
        let leak = Rule::standard(RuleKind::KeyInClientCode);
        assert_eq!(leak.severity, Severity::Critical);
        let failures = Rule::standard(RuleKind::MintFailures);
        assert_eq!(failures.severity, Severity::Warning);
        assert!(failures.is_beyond(5.1) && !failures.is_beyond(5.0));
        let tokens = Rule::standard(RuleKind::TokensPerUser);
        assert_eq!(tokens.severity, Severity::Info);
        assert_eq!(tokens.window, Duration::from_secs(3600));
        assert!(tokens.is_beyond(11.0) && !tokens.is_beyond(10.0));
    }
}
