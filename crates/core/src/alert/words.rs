//! What an alert says to people.

use super::{fired::Cause, rule::Rule, rule::RuleKind};

/// What happened, in a sentence.
pub(super) fn summary(rule: &Rule, cause: &Cause, value: f64, detail: &str) -> String {
    let of = |name: &str| cause.get(name).map_or("?", String::as_str);
    let (limit, minutes) = (rule.threshold, rule.window.as_secs().div_ceil(60));
    match rule.kind {
        RuleKind::KeyInClientCode => {
            format!("{} serves a credential: {detail}", of("origin"))
        }
        RuleKind::MintFailures => {
            format!("{value:.1} % of the mints of {minutes} min failed; the limit is {limit} %")
        }
        RuleKind::TokensPerUser => format!(
            "{} obtained {value:.0} client secrets within {minutes} min; the limit is {limit}",
            of("subject")
        ),
        RuleKind::BreakerOpen => {
            format!(
                "The breaker of upstream {} is open: {}",
                of("upstream"),
                detail
            )
        }
        RuleKind::UpstreamKeyRefused => {
            format!("Upstream {} refuses its standard key", of("upstream"))
        }
        RuleKind::AuditFailing => format!("The audit trail's {} fails: {detail}", of("part")),
        RuleKind::AuditLagging => {
            format!(
                "{} does not take the audit trail's records: {detail}",
                of("receiver")
            )
        }
        RuleKind::CheckpointUndelivered => {
            format!("The second place of the checkpoints does not take them: {detail}")
        }
        RuleKind::PassReused => format!("A pass was used a second time: {}", of("about")),
        RuleKind::RefusalsBurst => format!("Many requests are refused: {}", of("about")),
        RuleKind::SuspiciousUse => format!("{}: {}", of("anomaly"), of("about")),
        RuleKind::BudgetNear | RuleKind::BudgetExhausted => {
            format!(
                "{value:.0} % of the budget of {} is used ({})",
                of("account"),
                of("bound")
            )
        }
        RuleKind::Expiring if value < 0.0 => format!("{} has ended", of("what")),
        RuleKind::Expiring => format!("{} ends in {value:.0} days", of("what")),
        RuleKind::ScanFailing => format!(
            "{} can't be scanned for leaked keys: {detail}",
            of("origin")
        ),
    }
}

/// What to do about it, in a sentence.
pub(super) const fn remedy(kind: RuleKind) -> &'static str {
    match kind {
        RuleKind::KeyInClientCode => {
            "Revoke the credential now, take it out of the build, and look in the trail for who used it."
        }
        RuleKind::MintFailures => {
            "Look at /health for the upstream's state, and in the trail for the codes of the failures."
        }
        RuleKind::TokensPerUser => {
            "Look at the user's grants; set limits on the role, or revoke the user."
        }
        RuleKind::BreakerOpen => {
            "Look at the upstream's status page and /health; another upstream takes over where there is one."
        }
        RuleKind::UpstreamKeyRefused => {
            "Put a good standard key into its file; no restart is needed."
        }
        RuleKind::AuditFailing => {
            "No secret is issued while the trail can't be written: mend the disk and restart."
        }
        RuleKind::AuditLagging => {
            "Look at the receiver; records wait here and are sent when it takes them again."
        }
        RuleKind::CheckpointUndelivered => {
            "Look at the second place: until it has the checkpoints, a trail cut back goes unseen."
        }
        RuleKind::PassReused => {
            "Two hold what one should: look at the grant's records, and revoke its subject if in doubt."
        }
        RuleKind::RefusalsBurst => {
            "Look at the refusals in the trail: a broken client, or somebody who guesses."
        }
        RuleKind::SuspiciousUse => {
            "Look at the subject's records in the trail, and revoke if in doubt."
        }
        RuleKind::BudgetNear | RuleKind::BudgetExhausted => {
            "Look at the usage; raise the budget of the role, or let the day pass."
        }
        RuleKind::Expiring => "Put a new one in place before the old one ends.",
        RuleKind::ScanFailing => "Look whether the address is right and answers.",
    }
}
