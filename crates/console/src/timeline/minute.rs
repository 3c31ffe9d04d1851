//! What happened in one minute.

use std::collections::BTreeMap;

use hallpass_core::{
    live::EndKind,
    money::NanoUsd,
    usage::{Activity, Counted, Source, Tallies},
};

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

impl Minute {
    /// What tallies of any time come to.
    pub(crate) fn of(tallies: &Tallies, source: Source) -> Self {
        let mut sum = Self::default();
        for (happening, tally) in tallies {
            sum.count(&Counted {
                happening: happening.clone(),
                source,
                tally: *tally,
            });
        }
        sum
    }

    /// Counts what a record of this minute tells.
    pub(super) fn count(&mut self, counted: &Counted) {
        let times = counted.tally.times;
        match counted.happening.activity {
            Activity::Minted => self.issued += times,
            Activity::MintRefused | Activity::Refused => {
                self.refused += times;
                self.because(&counted.happening.reason, times);
            }
            Activity::MintFailed => {
                self.failed_mints += times;
                self.failed += times;
                self.because(&counted.happening.reason, times);
            }
            Activity::Failed => {
                self.failed += times;
                self.because(&counted.happening.reason, times);
            }
            Activity::SecretExpired => self.secrets_expired += times,
            Activity::Started => self.started += times,
            Activity::Ended | Activity::Abandoned => {}
        }
        if let Some(end) = counted.happening.end() {
            *self.ends(end) += times;
            self.cost += counted.tally.cost;
        }
    }

    const fn ends(&mut self, end: EndKind) -> &mut u64 {
        match end {
            EndKind::Closed => &mut self.closed,
            EndKind::Expired => &mut self.expired,
            EndKind::Dropped => &mut self.dropped,
            EndKind::Ended => &mut self.ended,
        }
    }

    fn because(&mut self, code: &str, times: u64) {
        if self.causes.len() < MOST_CAUSES || self.causes.contains_key(code) {
            *self.causes.entry(code.to_owned()).or_default() += times;
        }
    }

    /// Adds another's counts.
    pub(crate) fn add(&mut self, other: &Self) {
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

#[cfg(test)]
mod tests {
    use hallpass_core::usage::{Happening, Tally};

    use super::*;

    fn counted(all: &[(Activity, &str, u64)]) -> Minute {
        let mut minute = Minute::default();
        for (activity, reason, times) in all {
            minute.count(&Counted {
                happening: Happening::because(*activity, reason),
                source: Source::Measured,
                tally: Tally {
                    times: *times,
                    cost: NanoUsd(5),
                },
            });
        }
        minute
    }

    #[test]
    fn a_session_is_counted_by_the_kind_of_its_end_and_with_its_cost() {
        let minute = counted(&[
            (Activity::Started, "", 1),
            (Activity::Ended, "client_closed", 1),
            (Activity::Ended, "time_limit", 1),
            (Activity::Ended, "expired", 1),
            (Activity::Ended, "client_lost", 1),
            (Activity::Ended, "operator", 1),
        ]);
        let ends = (minute.closed, minute.expired, minute.dropped, minute.ended);
        assert_eq!(ends, (1, 2, 1, 1));
        assert_eq!((minute.started, minute.cost), (1, NanoUsd(25)));
    }

    #[test]
    fn refusals_and_failures_are_told_apart_and_have_their_cause() {
        let minute = counted(&[
            (Activity::Minted, "", 3),
            (Activity::MintFailed, "upstream_rejected", 1),
            (Activity::Failed, "store_unavailable", 1),
            (Activity::MintRefused, "rate_limited", 1),
            (Activity::Refused, "rate_limited", 1),
            (Activity::Abandoned, "", 1),
            (Activity::SecretExpired, "", 7),
        ]);
        assert_eq!((minute.issued, minute.refused, minute.failed), (3, 2, 2));
        assert_eq!(minute.causes["rate_limited"], 2);
        assert_eq!(minute.failed_percent(), Some(25.0));
        assert_eq!(minute.secrets_expired, 7);
        assert_eq!(Minute::default().failed_percent(), None);
    }
}
