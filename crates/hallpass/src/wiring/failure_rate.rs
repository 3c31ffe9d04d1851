//! How many mints failed lately, by cause, and when that is an alarm.

use std::{collections::BTreeMap, time::Duration};

/// When to raise the alarm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Threshold {
    /// Failures in a hundred mints.
    pub(crate) percent: u32,
    /// Mints before their share counts.
    pub(crate) min_mints: u32,
    /// How far back to look.
    pub(crate) window: Duration,
}

/// The window is forgotten in tenths.
const SLICES: u64 = 10;

#[derive(Debug, Default)]
struct Slice {
    number: u64,
    mints: u32,
    failures: BTreeMap<&'static str, u32>,
}

/// What the window holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recent {
    /// Mints that ended.
    pub(crate) mints: u32,
    /// Those of them that failed, by code.
    pub(crate) failures: BTreeMap<&'static str, u32>,
}

/// The alarm changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Whether it sounds from now on.
    pub(crate) raised: bool,
    /// What the window holds.
    pub(crate) recent: Recent,
}

/// Failures of a sliding window. Time is passed in, as time since any origin.
#[derive(Debug)]
pub(crate) struct FailureRate {
    threshold: Threshold,
    slices: [Slice; SLICES as usize],
    raised: bool,
}

impl Recent {
    /// All failures.
    pub(crate) fn failed(&self) -> u32 {
        self.failures.values().sum()
    }

    /// Failures in a hundred mints.
    pub(crate) fn percent(&self) -> u32 {
        let share = u64::from(self.failed()) * 100 / u64::from(self.mints.max(1));
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    /// The most frequent code.
    pub(crate) fn main_cause(&self) -> Option<&'static str> {
        let most = self.failures.iter().max_by_key(|(_, count)| **count);
        most.map(|(code, _)| *code)
    }
}

impl FailureRate {
    pub(crate) fn new(threshold: Threshold) -> Self {
        Self {
            threshold,
            slices: Default::default(),
            raised: false,
        }
    }

    /// Counts a mint that ended; `failure` is its code where it failed.
    pub(crate) fn note(&mut self, now: Duration, failure: Option<&'static str>) {
        let number = self.number(now);
        let slice = &mut self.slices[(number % SLICES) as usize];
        if slice.number != number {
            *slice = Slice {
                number,
                ..Slice::default()
            };
        }
        slice.mints += 1;
        if let Some(code) = failure {
            *slice.failures.entry(code).or_default() += 1;
        }
    }

    /// What the window holds now.
    pub(crate) fn recent(&self, now: Duration) -> Recent {
        let newest = self.number(now);
        let mut recent = Recent::default();
        for slice in &self.slices {
            if slice.number + SLICES <= newest {
                continue;
            }
            recent.mints += slice.mints;
            for (code, count) in &slice.failures {
                *recent.failures.entry(code).or_default() += count;
            }
        }
        recent
    }

    /// Whether the alarm changes now.
    ///
    /// It ends at half the threshold, so that it does not flutter.
    pub(crate) fn judge(&mut self, now: Duration) -> Option<Turn> {
        let recent = self.recent(now);
        let Threshold {
            percent, min_mints, ..
        } = self.threshold;
        let bad = recent.mints >= min_mints && recent.percent() >= percent;
        let well = recent.percent() * 2 < percent;
        let turns = (!self.raised && bad) || (self.raised && well);
        if !turns {
            return None;
        }
        self.raised = bad;
        Some(Turn {
            raised: bad,
            recent,
        })
    }

    fn number(&self, now: Duration) -> u64 {
        let slice = (self.threshold.window.as_millis() / u128::from(SLICES)).max(1);
        // From one on, so that empty slices are old.
        u64::try_from(now.as_millis() / slice).unwrap_or(u64::MAX - SLICES) + SLICES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Option<&str> = Some("upstream_timeout");

    fn rate() -> FailureRate {
        FailureRate::new(Threshold {
            percent: 25,
            min_mints: 10,
            window: Duration::from_secs(60),
        })
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_quarter_of_ten_raises_it_once() {
        let mut rate = rate();
        (0..7).for_each(|_| rate.note(at(0), None));
        (0..2).for_each(|_| rate.note(at(1), TIMEOUT));
        assert_eq!(rate.judge(at(1)), None, "nine are too few to judge");
        rate.note(at(1), TIMEOUT);
        let turn = rate.judge(at(1)).unwrap();
        assert!(turn.raised && turn.recent.percent() == 30);
        assert_eq!(turn.recent.main_cause(), TIMEOUT);
        assert_eq!(rate.judge(at(1)), None);
    }

    #[test]
    fn it_ends_when_the_failures_are_old_or_outweighed() {
        let mut rate = rate();
        (0..10).for_each(|_| rate.note(at(0), TIMEOUT));
        assert!(rate.judge(at(0)).unwrap().raised);
        (0..40).for_each(|_| rate.note(at(30), None));
        assert_eq!(rate.judge(at(30)), None, "20 % is no end yet");
        (0..40).for_each(|_| rate.note(at(31), None));
        assert!(!rate.judge(at(31)).unwrap().raised);

        (0..100).for_each(|_| rate.note(at(40), TIMEOUT));
        assert!(rate.judge(at(40)).unwrap().raised);
        assert!(!rate.judge(at(110)).unwrap().raised);
        assert_eq!(rate.recent(at(110)), Recent::default());
    }

    #[test]
    fn refusals_are_no_failures() {
        let mut rate = rate();
        (0..100).for_each(|_| rate.note(at(5), None));
        assert_eq!(rate.judge(at(5)), None);
    }
}
