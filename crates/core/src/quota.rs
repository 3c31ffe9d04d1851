//! Rates, and the arithmetic that holds them: GCRA on integer microseconds.
//!
//! A limit of `count` per `period` lets `count` through at once and then one
//! each `period / count`. Its whole state is one number: the theoretical
//! arrival time (TAT), the moment at which it will be unused again.

use std::time::Duration;

/// So many per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least 1.
    pub count: u32,
    /// In how long, in seconds, at least 1.
    pub seconds: u32,
}

impl Rate {
    /// So many a minute.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self { count, seconds: 60 }
    }

    /// So many an hour.
    #[must_use]
    pub const fn per_hour(count: u32) -> Self {
        Self {
            count,
            seconds: 3600,
        }
    }

    /// So many a day.
    #[must_use]
    pub const fn per_day(count: u32) -> Self {
        Self {
            count,
            seconds: 86_400,
        }
    }

    /// Microseconds until one more is let through, rounded up so that a period
    /// never lets through more than its count.
    #[must_use]
    pub fn interval_micros(self) -> u64 {
        self.period_micros().div_ceil(u64::from(self.count.max(1)))
    }

    /// Microseconds a limit that is used up needs to be unused again.
    #[must_use]
    pub fn burst_micros(self) -> u64 {
        let count = u64::from(self.count.max(1));
        self.interval_micros().saturating_mul(count)
    }

    /// One of so many equal shares, rounded down and at least 1.
    #[must_use]
    pub fn share(self, shares: u32) -> Self {
        Self {
            count: (self.count / shares.max(1)).max(1),
            ..self
        }
    }

    /// The period in microseconds.
    #[must_use]
    pub fn period_micros(self) -> u64 {
        u64::from(self.seconds.max(1)) * 1_000_000
    }
}

/// What a limit counts by, and its name in headers and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The limit's public name: `caller-minute`.
    pub name: &'static str,
    /// What it counts by: the limit's name and whom it holds for.
    pub key: String,
    /// How much is let through.
    pub rate: Rate,
}

/// Where a limit stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitState {
    /// The limit's public name.
    pub name: &'static str,
    /// The rate.
    pub rate: Rate,
    /// How many more would be let through now.
    pub remaining: u32,
    /// How long until the limit is unused again.
    pub reset: Duration,
}

/// Which limit refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The limit and where it stands.
    pub state: LimitState,
    /// How long until it lets one through.
    pub wait: Duration,
}

/// The verdict on one request against one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Let through; this is the limit's new TAT, to be stored.
    Allow {
        /// The new theoretical arrival time, in microseconds.
        tat: u64,
    },
    /// Refused; nothing is stored.
    Deny {
        /// How long until one is let through, in microseconds.
        wait_micros: u64,
    },
}

/// Decides one request. Times are microseconds of one monotonic clock.
#[must_use]
pub fn decide(tat: Option<u64>, now: u64, rate: Rate) -> Decision {
    let (interval, burst) = (rate.interval_micros(), rate.burst_micros());
    let base = tat.unwrap_or(now).max(now);
    let next = base.saturating_add(interval);
    let earliest = next.saturating_sub(burst);
    if earliest > now {
        return Decision::Deny {
            wait_micros: earliest - now,
        };
    }
    Decision::Allow { tat: next }
}

/// Where a limit stands, given its TAT.
#[must_use]
pub fn state(name: &'static str, tat: u64, now: u64, rate: Rate) -> LimitState {
    let (interval, burst) = (rate.interval_micros(), rate.burst_micros());
    let used = tat.saturating_sub(now);
    let remaining = burst.saturating_sub(used) / interval.max(1);
    LimitState {
        name,
        rate,
        remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
        reset: Duration::from_micros(used),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a trace of arrival gaps and says when each was let through.
    fn admitted(rate: Rate, gaps: &[u64]) -> Vec<u64> {
        let (mut tat, mut now, mut times) = (None, 0, Vec::new());
        for gap in gaps {
            now += gap;
            if let Decision::Allow { tat: next } = decide(tat, now, rate) {
                tat = Some(next);
                times.push(now);
            }
        }
        times
    }

    proptest! {
        #[test]
        fn no_window_admits_more_than_twice_the_count(count in 1_u32..50, seconds in 1_u32..120, gaps in prop::collection::vec(0_u64..3_000_000, 1..300)) {
            let rate = Rate { count, seconds };
            let times = admitted(rate, &gaps);
            let window = rate.period_micros();
            for (index, start) in times.iter().enumerate() {
                let inside = times[index..].iter().take_while(|t| **t < start + window).count();
                prop_assert!(inside <= 2 * count as usize, "burst plus refill is the bound");
            }
        }

        #[test]
        fn a_caller_who_waits_as_told_is_let_through(count in 1_u32..50, seconds in 1_u32..120, tries in 1_usize..200) {
            let rate = Rate { count, seconds };
            let (mut tat, mut now) = (None, 5);
            for _ in 0..tries {
                match decide(tat, now, rate) {
                    Decision::Allow { tat: next } => tat = Some(next),
                    Decision::Deny { wait_micros } => {
                        now += wait_micros;
                        let Decision::Allow { tat: next } = decide(tat, now, rate) else {
                            return Err(TestCaseError::fail("refused after waiting as told"));
                        };
                        tat = Some(next);
                    }
                }
            }
        }

        #[test]
        fn no_arithmetic_overflows(tat in any::<Option<u64>>(), now in any::<u64>(), count in any::<u32>(), seconds in any::<u32>()) {
            let rate = Rate { count, seconds };
            let _ = decide(tat, now, rate);
            let _ = state("x", tat.unwrap_or(0), now, rate);
        }
    }

    #[test]
    fn the_burst_is_the_count_and_then_one_each_interval() {
        let rate = Rate::per_minute(5);
        assert_eq!(admitted(rate, &[0, 0, 0, 0, 0, 0]).len(), 5);
        assert_eq!(admitted(rate, &[0, 0, 0, 0, 0, 12_000_000]).len(), 6);
    }
}
