//! The rules Hallpass ships, as the configuration changes them.

use std::time::Duration;

use hallpass_config::section::{AlertKind, AlertRule, AlertSeverity, Alerts};
use hallpass_core::alert::{Comparison, Rule, RuleKind, Severity};

/// The rules in force.
pub(super) fn rules(alerts: &Alerts) -> Vec<Rule> {
    let shipped = AlertKind::ALL.into_iter().filter_map(|kind| {
        let said = alerts.rule.iter().find(|rule| rule.name == kind.name());
        match said {
            Some(said) => changed(Rule::standard(known(kind)), said),
            None => Some(Rule::standard(known(kind))),
        }
    });
    let own = alerts.rule.iter().filter(|rule| !is_shipped(rule));
    let own = own.filter_map(|rule| {
        let kind = known(rule.kind?);
        let named = Rule {
            name: rule.name.clone(),
            ..Rule::standard(kind)
        };
        changed(named, rule)
    });
    shipped.chain(own).collect()
}

fn is_shipped(rule: &AlertRule) -> bool {
    AlertKind::ALL.iter().any(|kind| kind.name() == rule.name)
}

/// A rule with what the configuration says of it; none where it is off.
fn changed(rule: Rule, said: &AlertRule) -> Option<Rule> {
    let seconds = |said: Option<u32>, shipped| {
        said.map_or(shipped, |seconds| Duration::from_secs(seconds.into()))
    };
    let threshold = said.threshold.unwrap_or(rule.threshold);
    let resolve = said.resolve.unwrap_or(match said.threshold {
        Some(threshold) => resolve_of(&rule, threshold),
        None => rule.resolve,
    });
    let changed = Rule {
        severity: said.severity.map_or(rule.severity, severity),
        threshold,
        resolve,
        min_mints: said.min_mints.unwrap_or(rule.min_mints),
        window: seconds(said.window_seconds, rule.window),
        hold: seconds(said.hold_seconds, rule.hold),
        settle: seconds(said.settle_seconds, rule.settle),
        ..rule
    };
    said.enabled.unwrap_or(true).then_some(changed)
}

/// As far from another threshold as the shipped one is from its own.
fn resolve_of(rule: &Rule, threshold: f64) -> f64 {
    match rule.kind.comparison() {
        Comparison::Below => threshold + (rule.resolve - rule.threshold),
        _ if rule.threshold > 0.0 => threshold * rule.resolve / rule.threshold,
        _ => threshold,
    }
}

const fn severity(severity: AlertSeverity) -> Severity {
    match severity {
        AlertSeverity::Info => Severity::Info,
        AlertSeverity::Warning => Severity::Warning,
        AlertSeverity::Critical => Severity::Critical,
    }
}

/// How urgent an alert has to be for a receiver.
pub(super) const fn least(least: AlertSeverity) -> Severity {
    severity(least)
}

const fn known(kind: AlertKind) -> RuleKind {
    match kind {
        AlertKind::KeyInClientCode => RuleKind::KeyInClientCode,
        AlertKind::MintFailures => RuleKind::MintFailures,
        AlertKind::TokensPerUser => RuleKind::TokensPerUser,
        AlertKind::BreakerOpen => RuleKind::BreakerOpen,
        AlertKind::UpstreamKeyRefused => RuleKind::UpstreamKeyRefused,
        AlertKind::AuditFailing => RuleKind::AuditFailing,
        AlertKind::AuditLagging => RuleKind::AuditLagging,
        AlertKind::CheckpointUndelivered => RuleKind::CheckpointUndelivered,
        AlertKind::PassReused => RuleKind::PassReused,
        AlertKind::RefusalsBurst => RuleKind::RefusalsBurst,
        AlertKind::SuspiciousUse => RuleKind::SuspiciousUse,
        AlertKind::BudgetNear => RuleKind::BudgetNear,
        AlertKind::BudgetExhausted => RuleKind::BudgetExhausted,
        AlertKind::Expiring => RuleKind::Expiring,
        AlertKind::ScanFailing => RuleKind::ScanFailing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Rule> {
        let base = std::path::Path::new("");
        rules(
            &hallpass_config::from_toml_str(text, base)
                .unwrap()
                .config
                .alerts,
        )
    }

    #[test]
    fn configuration_and_engine_name_the_same_rules() {
        let rules = of("");
        assert_eq!(rules.len(), AlertKind::ALL.len());
        for (rule, kind) in rules.iter().zip(AlertKind::ALL) {
            assert_eq!(
                (rule.name.as_str(), rule.kind.as_str()),
                (kind.name(), kind.name())
            );
        }
    }

    #[test]
    fn a_rule_is_changed_switched_off_or_added() {
        let rules = of(
            "[[alerts.rule]]\nname = \"tokens_per_user\"\nthreshold = 100\nseverity = \"warning\"\n\
             [[alerts.rule]]\nname = \"expiring\"\nthreshold = 30\n\
             [[alerts.rule]]\nname = \"pass_reused\"\nenabled = false\n\
             [[alerts.rule]]\nname = \"many_failures\"\nkind = \"mint_failures\"\nthreshold = 25\n\
             severity = \"critical\"\nwindow_seconds = 60\n",
        );
        let named = |name: &str| rules.iter().find(|rule| rule.name == name);
        let tokens = named("tokens_per_user").unwrap();
        assert_eq!((tokens.threshold, tokens.resolve), (100.0, 80.0));
        assert_eq!(tokens.severity, Severity::Warning);
        let expiring = named("expiring").unwrap();
        assert_eq!((expiring.threshold, expiring.resolve), (30.0, 31.0));
        assert!(named("pass_reused").is_none());
        let many = named("many_failures").unwrap();
        assert_eq!(
            (many.kind, many.severity),
            (RuleKind::MintFailures, Severity::Critical)
        );
        assert_eq!(many.window, Duration::from_secs(60));
        assert_eq!(named("mint_failures").unwrap().threshold, 5.0);
    }
}
