//! What a record counts: the one place that says so, for usage, the console,
//! its metrics and alerts.

use hallpass_core::{
    audit::Action,
    live::EndReason,
    money::NanoUsd,
    usage::{Activity, Counted, Happening, Source, Tally, said_reason},
};

use crate::{stored::OutcomeKind, summary::RecordSummary};

impl RecordSummary<'_> {
    /// What it counts; none where it counts nothing.
    #[must_use]
    pub fn counted(&self) -> Option<Counted> {
        let action = self.action?;
        let is_mint = matches!(action, Action::GrantCreate | Action::GrantRefresh);
        let code = self.code.as_deref().unwrap_or_default();
        // A crowd that was turned away is one record.
        let times = self.fact("requests").and_then(|times| times.parse().ok());
        let tally = Tally {
            times: times.unwrap_or(1),
            ..Tally::default()
        };
        let some = |happening| Some(measured(happening, tally));
        match self.outcome {
            OutcomeKind::Success => self.done(action),
            OutcomeKind::Refused if is_mint => {
                some(Happening::because(Activity::MintRefused, code))
            }
            OutcomeKind::Failed if is_mint => some(Happening::because(Activity::MintFailed, code)),
            OutcomeKind::Abandoned if is_mint => some(Happening::plain(Activity::Abandoned)),
            // What the server could not do for itself is no request that failed.
            OutcomeKind::Refused if self.is_request => {
                some(Happening::because(Activity::Refused, code))
            }
            OutcomeKind::Failed if self.is_request => {
                some(Happening::because(Activity::Failed, code))
            }
            _ => None,
        }
    }

    fn done(&self, action: Action) -> Option<Counted> {
        let plain = |activity, tally| Some(measured(Happening::plain(activity), tally));
        match action {
            Action::GrantCreate | Action::GrantRefresh => plain(Activity::Minted, Tally::ONCE),
            Action::SessionStart => plain(Activity::Started, Tally::ONCE),
            Action::GrantExpire => {
                let times = self.fact("count")?.parse().ok()?;
                let tally = Tally {
                    times,
                    ..Tally::default()
                };
                plain(Activity::SecretExpired, tally)
            }
            Action::SessionEnd => {
                // An operator's request to end one is a record, too: what it
                // used stands in the session's own.
                self.fact("live_ms")?;
                let reason = self.fact("reason")?;
                // Whoever took a session over tells the cost of all of it.
                let goes_on = reason == EndReason::TakenOver.as_str();
                let cost = self.fact("cost_usd").filter(|_| !goes_on);
                let tally = Tally {
                    cost: cost.and_then(nano).unwrap_or_default(),
                    ..Tally::ONCE
                };
                Some(measured(Happening::because(Activity::Ended, reason), tally))
            }
            Action::GrantReport if self.fact("reported") == Some("disconnected") => {
                let reason = said_reason(self.fact("reported_reason").unwrap_or_default());
                Some(Counted {
                    happening: Happening::because(Activity::Ended, reason),
                    source: Source::Reported,
                    tally: Tally::ONCE,
                })
            }
            _ => None,
        }
    }
}

const fn measured(happening: Happening, tally: Tally) -> Counted {
    Counted {
        happening,
        source: Source::Measured,
        tally,
    }
}

/// Dollars as the trail writes them, nine places after the point.
fn nano(text: &str) -> Option<NanoUsd> {
    let (whole, rest) = text.split_once('.')?;
    if rest.len() != 9 {
        return None;
    }
    let (whole, rest): (u64, u64) = (whole.parse().ok()?, rest.parse().ok()?);
    let nano = whole.checked_mul(1_000_000_000)?.checked_add(rest)?;
    Some(NanoUsd(nano))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn counted(action: &str, outcome: &str, facts: &serde_json::Value) -> Option<Counted> {
        let ours = json!({"action": action, "phase": "outcome", "outcome": outcome, "code": "rate_limited", "facts": facts});
        let mut line = json!({"time": 1_795_381_200_000_i64, "unmapped": {"hallpass": ours}});
        if !action.starts_with("trail.") {
            line["http_request"] = json!({"uid": "r"});
        }
        let line = line.to_string();
        RecordSummary::of(line.as_bytes()).unwrap().counted()
    }

    fn plain(action: &str, outcome: &str) -> Option<(Activity, String)> {
        let counted = counted(action, outcome, &json!({}))?;
        assert_eq!(
            (counted.source, counted.tally),
            (Source::Measured, Tally::ONCE)
        );
        Some((counted.happening.activity, counted.happening.reason))
    }

    #[test]
    fn what_was_asked_for_and_what_became_of_it_is_counted() {
        let some = |activity, reason: &str| Some((activity, reason.to_owned()));
        let limited = "rate_limited";
        for (action, outcome, expected) in [
            ("grant.create", "success", some(Activity::Minted, "")),
            ("grant.refresh", "success", some(Activity::Minted, "")),
            (
                "grant.create",
                "refused",
                some(Activity::MintRefused, limited),
            ),
            (
                "grant.refresh",
                "failed",
                some(Activity::MintFailed, limited),
            ),
            ("grant.create", "abandoned", some(Activity::Abandoned, "")),
            ("auth.check", "refused", some(Activity::Refused, limited)),
            ("usage.read", "failed", some(Activity::Failed, limited)),
            ("usage.read", "abandoned", None),
            ("session.start", "success", some(Activity::Started, "")),
            ("session.start", "refused", some(Activity::Refused, limited)),
            ("grant.read", "success", None),
            ("alert.start", "success", None),
            ("trail.archive", "failed", None),
            ("of a later release", "refused", None),
        ] {
            assert_eq!(plain(action, outcome), expected, "{action} {outcome}");
        }
    }

    #[test]
    fn a_session_is_counted_once_and_with_its_cost() {
        let facts = json!({"reason": "operator", "live_ms": "12", "cost_usd": "0.012345000"});
        let end = counted("session.end", "success", &facts).unwrap();
        assert_eq!(
            end.happening,
            Happening::because(Activity::Ended, "operator")
        );
        assert_eq!(
            end.tally,
            Tally {
                times: 1,
                cost: NanoUsd(12_345_000)
            }
        );
        let moved = json!({"reason": "taken_over", "live_ms": "5", "cost_usd": "0.002000000"});
        let moved = counted("session.end", "success", &moved).unwrap();
        assert_eq!(moved.tally, Tally::ONCE, "its cost is told where it ends");
        let asked = json!({"session": "ls_1", "reason": "asked by the candidate"});
        assert_eq!(counted("session.end", "success", &asked), None);
    }

    #[test]
    fn what_pages_report_is_theirs_and_what_expired_is_counted() {
        let facts = json!({"reported": "disconnected", "reported_reason": "session_expired"});
        let said = counted("grant.report", "success", &facts).unwrap();
        assert_eq!(said.source, Source::Reported);
        assert_eq!(said.happening.reason, "expired");
        let usage = json!({"reported": "usage"});
        assert_eq!(counted("grant.report", "success", &usage), None);
        let expired = counted("grant.expire", "success", &json!({"count": "7"})).unwrap();
        assert_eq!(expired.tally.times, 7);
    }

    #[test]
    fn money_is_read_as_the_trail_writes_it() {
        for amount in [0, 1, 4_000, 12_345_678_901] {
            let amount = NanoUsd(amount);
            assert_eq!(nano(&amount.to_string()), Some(amount));
        }
        for wrong in ["", "1", "1.5", "-1.000000000", "x.000000000"] {
            assert_eq!(nano(wrong), None, "{wrong}");
        }
    }
}
