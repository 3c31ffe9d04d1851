//! What happened in one minute.

use std::collections::BTreeMap;

use hallpass_core::{audit::Action, live::EndReason, money::NanoUsd};

use super::{Deed, Ended};

/// Different causes counted in a minute; codes are few.
const MOST_CAUSES: usize = 128;

/// Refusals and failures by their code.
pub(crate) type Causes = BTreeMap<String, u64>;

/// The counts of a minute, or of several together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Minute {
    /// Client secrets issued, refreshed ones too.
    pub(crate) issued: u64,
    /// Requests refused by a rule.
    pub(crate) refused: u64,
    /// Requests that failed.
    pub(crate) failed: u64,
    /// Mints that failed: of what was allowed, what could not be had.
    pub(crate) failed_mints: u64,
    /// Both by their cause.
    pub(crate) causes: Causes,
    /// Live sessions that began.
    pub(crate) started: u64,
    /// Sessions that client or OpenAI closed.
    pub(crate) closed: u64,
    /// Sessions whose time or lease was over, as measured or as pages say.
    pub(crate) expired: u64,
    /// Sessions that broke off.
    pub(crate) dropped: u64,
    /// Sessions ended by a rule or an operator.
    pub(crate) ended: u64,
    /// Client secrets whose time was over.
    pub(crate) secrets_expired: u64,
    /// What the sessions that ended had cost.
    pub(crate) cost: NanoUsd,
}

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Expired,
    Dropped,
    Ended,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Expired => "expired",
            Self::Dropped => "dropped",
            Self::Ended => "ended",
        }
    }
}

impl Deed {
    /// How a session ended and who says so, `measured` or `reported`; none
    /// where the record is of something else.
    #[must_use]
    pub fn session_end(&self) -> Option<(&'static str, &'static str)> {
        let (end, source) = self.end()?;
        Some((end.name(), source))
    }

    /// What the session that ended had cost.
    #[must_use]
    pub fn cost(&self) -> NanoUsd {
        self.fact("cost_usd").and_then(nano).unwrap_or_default()
    }

    /// Whether a session began.
    #[must_use]
    pub fn is_session_start(&self) -> bool {
        self.ended == Ended::Done && self.action == Action::SessionStart
    }

    fn end(&self) -> Option<(End, &'static str)> {
        if self.ended != Ended::Done {
            return None;
        }
        match self.action {
            // An operator's own request to end one has no usage: the session's
            // record follows.
            Action::SessionEnd => {
                self.fact("live_ms")?;
                let reason = self.fact("reason").unwrap_or("");
                Some((end_of(reason), "measured"))
            }
            Action::GrantReport if self.fact("reported") == Some("disconnected") => {
                let reason = self.fact("reported_reason").unwrap_or("");
                Some((reported_end(reason), "reported"))
            }
            _ => None,
        }
    }

    fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str)
    }
}

impl Minute {
    /// Counts a deed of this minute.
    pub(super) fn count(&mut self, deed: &Deed) {
        match deed.ended {
            Ended::Done => self.done(deed),
            Ended::Refused => {
                self.refused += 1;
                self.because(deed);
            }
            Ended::Failed => {
                self.failed += 1;
                self.failed_mints += u64::from(is_mint(deed.action));
                self.because(deed);
            }
            Ended::Abandoned => {}
        }
    }

    fn done(&mut self, deed: &Deed) {
        match deed.action {
            Action::GrantCreate | Action::GrantRefresh => self.issued += 1,
            Action::GrantExpire => {
                let count = deed.fact("count").and_then(|count| count.parse().ok());
                self.secrets_expired += count.unwrap_or(0);
            }
            _ => self.started += u64::from(deed.is_session_start()),
        }
        if let Some((end, _)) = deed.end() {
            self.session_ended(end);
            self.cost += deed.cost();
        }
    }

    fn session_ended(&mut self, end: End) {
        let count = match end {
            End::Closed => &mut self.closed,
            End::Expired => &mut self.expired,
            End::Dropped => &mut self.dropped,
            End::Ended => &mut self.ended,
        };
        *count += 1;
    }

    fn because(&mut self, deed: &Deed) {
        let Some(code) = &deed.code else { return };
        if self.causes.len() < MOST_CAUSES || self.causes.contains_key(code) {
            *self.causes.entry(code.clone()).or_default() += 1;
        }
    }

    /// Adds another's counts.
    pub(super) fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.issued, other.issued),
            (&mut self.refused, other.refused),
            (&mut self.failed, other.failed),
            (&mut self.failed_mints, other.failed_mints),
            (&mut self.started, other.started),
            (&mut self.closed, other.closed),
            (&mut self.expired, other.expired),
            (&mut self.dropped, other.dropped),
            (&mut self.ended, other.ended),
            (&mut self.secrets_expired, other.secrets_expired),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
        self.cost += other.cost;
        for (code, count) in &other.causes {
            *self.causes.entry(code.clone()).or_default() += count;
        }
    }

    /// Of the mints that were allowed, how many hundredths failed.
    pub(crate) fn failed_percent(&self) -> Option<f64> {
        let all = self.issued + self.failed_mints;
        let part = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        (all > 0).then(|| part(self.failed_mints) * 100.0 / part(all))
    }
}

const fn is_mint(action: Action) -> bool {
    matches!(action, Action::GrantCreate | Action::GrantRefresh)
}

/// Whether a deed is a client secret that was issued.
pub(super) fn is_issue(deed: &Deed) -> bool {
    deed.ended == Ended::Done && is_mint(deed.action)
}

fn end_of(reason: &str) -> End {
    let Ok(reason) = reason.parse::<EndReason>() else {
        return End::Dropped;
    };
    match reason {
        EndReason::ClientClosed | EndReason::UpstreamClosed => End::Closed,
        EndReason::TimeLimit | EndReason::LeaseExpired => End::Expired,
        EndReason::ClientLost
        | EndReason::UpstreamLost
        | EndReason::UpstreamUnreachable
        | EndReason::Stalled
        | EndReason::Drain
        | EndReason::Overload
        | EndReason::Orphaned
        | EndReason::TakenOver => End::Dropped,
        EndReason::ProfileRefused
        | EndReason::Revoked
        | EndReason::Operator
        | EndReason::Idle
        | EndReason::LeaseRefused
        | EndReason::Budget
        | EndReason::ProtocolError
        | EndReason::PolicyViolation => End::Ended,
    }
}

/// What a page says of a session only it saw.
fn reported_end(reason: &str) -> End {
    let says = |word: &str| reason.contains(word);
    if says("expire") || says("time_limit") || says("max_duration") {
        return End::Expired;
    }
    if says("lost") || says("drop") || says("error") || says("fail") || says("network") {
        return End::Dropped;
    }
    End::Closed
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
    use hallpass_core::Timestamp;

    use super::*;

    fn deed(action: Action, ended: Ended, facts: &[(&str, &str)]) -> Deed {
        let fact = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Deed {
            time: Timestamp::UNIX_EPOCH,
            action,
            ended,
            code: (ended != Ended::Done).then(|| "rate_limited".to_owned()),
            subject: None,
            facts: facts.iter().map(fact).collect(),
        }
    }

    fn counted(deeds: &[Deed]) -> Minute {
        let mut minute = Minute::default();
        deeds.iter().for_each(|deed| minute.count(deed));
        minute
    }

    #[test]
    fn every_reason_of_an_end_is_one_of_four() {
        use hallpass_core::live::EndReason as R;
        let ends = [
            (R::ClientClosed, End::Closed),
            (R::TimeLimit, End::Expired),
            (R::ClientLost, End::Dropped),
            (R::Operator, End::Ended),
        ];
        for (reason, end) in ends {
            assert_eq!(end_of(reason.as_str()), end);
        }
        assert_eq!(end_of("no such reason"), End::Dropped);
    }

    #[test]
    fn a_session_is_counted_once_and_with_its_cost() {
        let request = deed(Action::SessionEnd, Ended::Done, &[("session", "ls_1")]);
        let facts = [
            ("reason", "operator"),
            ("live_ms", "12"),
            ("cost_usd", "0.012345000"),
        ];
        let end = deed(Action::SessionEnd, Ended::Done, &facts);
        let minute = counted(&[request, end.clone(), end]);
        assert_eq!((minute.ended, minute.cost), (2, NanoUsd(24_690_000)));
    }

    #[test]
    fn refusals_and_failures_are_told_apart_and_have_their_cause() {
        let minute = counted(&[
            deed(Action::GrantCreate, Ended::Done, &[]),
            deed(Action::GrantCreate, Ended::Done, &[]),
            deed(Action::GrantRefresh, Ended::Done, &[]),
            deed(Action::GrantCreate, Ended::Failed, &[]),
            deed(Action::Authenticate, Ended::Refused, &[]),
            deed(Action::GrantCreate, Ended::Abandoned, &[]),
        ]);
        assert_eq!((minute.issued, minute.refused, minute.failed), (3, 1, 1));
        assert_eq!(minute.causes["rate_limited"], 2);
        assert_eq!(minute.failed_percent(), Some(25.0));
        assert_eq!(Minute::default().failed_percent(), None);
    }

    #[test]
    fn what_pages_report_and_what_expired_is_counted() {
        let said = |reason: &str| {
            let facts = [("reported", "disconnected"), ("reported_reason", reason)];
            deed(Action::GrantReport, Ended::Done, &facts)
        };
        let expired = deed(Action::GrantExpire, Ended::Done, &[("count", "7")]);
        let minute = counted(&[
            said("session_expired"),
            said("connection_lost"),
            said("closed"),
            expired,
        ]);
        assert_eq!((minute.expired, minute.dropped, minute.closed), (1, 1, 1));
        assert_eq!(minute.secrets_expired, 7);
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
