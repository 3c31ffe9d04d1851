//! How much may be used, and how near to it one is.

use std::time::Duration;

use super::Usage;
use crate::{
    ids::{RoleName, Subject},
    money::NanoUsd,
};

/// At this part of a budget its session is warned, in hundredths.
const WARN_PERCENT: u128 = 80;

/// Whose day a budget is counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Account {
    /// One subject.
    Subject(Subject),
    /// All callers of a role together.
    Role(RoleName),
}

/// How much money and time may be used; none means no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Of one session.
    pub session: Limit,
    /// Of one subject a day.
    pub subject_day: Limit,
    /// Of all callers of the role a day.
    pub role_day: Limit,
}

/// Money and time together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    /// The most it may cost.
    pub cost: Option<NanoUsd>,
    /// The longest it may be live.
    pub live: Option<Duration>,
}

/// Where usage stands under a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Within every bound.
    Within,
    /// Near to one: its name and how much of it is used, in hundredths.
    Near(&'static str, u8),
    /// One is reached.
    Over(&'static str),
}

impl Budget {
    /// Whether anything is bounded by money.
    #[must_use]
    pub fn counts_money(&self) -> bool {
        self.limits()
            .iter()
            .any(|(_, _, limit)| limit.cost.is_some())
    }

    /// Whether anything is bounded by time.
    #[must_use]
    pub fn counts_time(&self) -> bool {
        self.limits()
            .iter()
            .any(|(_, _, limit)| limit.live.is_some())
    }

    /// Whether nothing is bounded.
    #[must_use]
    pub fn is_unbounded(&self) -> bool {
        *self == Self::default()
    }

    /// Where usage of session, subject and role stands; the nearest bound wins.
    #[must_use]
    pub fn standing(&self, session: &Usage, subject_day: &Usage, role_day: &Usage) -> Standing {
        let used = [session, subject_day, role_day];
        let mut nearest = Standing::Within;
        for ((money, time, limit), used) in self.limits().into_iter().zip(used) {
            let cost = limit.cost.map(|most| percent(used.cost.0, most.0));
            let live = limit.live.map(|most| {
                percent(
                    used.live_ms,
                    u64::try_from(most.as_millis()).unwrap_or(u64::MAX),
                )
            });
            for (name, part) in [(money, cost), (time, live)] {
                let Some(part) = part else { continue };
                if part >= 100 {
                    return Standing::Over(name);
                }
                let so_far = match nearest {
                    Standing::Near(_, part) => u128::from(part),
                    _ => 0,
                };
                if part >= WARN_PERCENT && part > so_far {
                    nearest = Standing::Near(name, u8::try_from(part).unwrap_or(99));
                }
            }
        }
        nearest
    }

    const fn limits(&self) -> [(&'static str, &'static str, Limit); 3] {
        [
            ("session_cost", "session_minutes", self.session),
            ("day_cost", "day_minutes", self.subject_day),
            ("role_day_cost", "role_day_minutes", self.role_day),
        ]
    }
}

/// How many hundredths; a bound of nothing is always reached.
fn percent(used: u64, most: u64) -> u128 {
    (u128::from(used) * 100)
        .checked_div(u128::from(most))
        .unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(nano: u64) -> Usage {
        Usage {
            cost: NanoUsd(nano),
            ..Usage::default()
        }
    }

    fn live(ms: u64) -> Usage {
        Usage {
            live_ms: ms,
            ..Usage::default()
        }
    }

    fn budget() -> Budget {
        Budget {
            session: Limit {
                cost: Some(NanoUsd(1000)),
                live: Some(Duration::from_secs(60)),
            },
            subject_day: Limit {
                cost: Some(NanoUsd(2000)),
                live: None,
            },
            role_day: Limit::default(),
        }
    }

    #[test]
    fn warned_at_eighty_and_over_at_a_hundred() {
        let none = Usage::default();
        let at = |nano| budget().standing(&cost(nano), &none, &none);
        assert_eq!(at(799), Standing::Within);
        assert_eq!(at(800), Standing::Near("session_cost", 80));
        assert_eq!(at(999), Standing::Near("session_cost", 99));
        assert_eq!(at(1000), Standing::Over("session_cost"));
    }

    #[test]
    fn the_nearest_bound_is_told_and_any_reached_one_ends() {
        let none = Usage::default();
        let two = budget().standing(&cost(800), &cost(1900), &none);
        assert_eq!(two, Standing::Near("day_cost", 95));
        let time = budget().standing(&live(60_000), &none, &none);
        assert_eq!(time, Standing::Over("session_minutes"));
        let unbounded = Budget::default().standing(&cost(u64::MAX), &none, &live(u64::MAX));
        assert_eq!(unbounded, Standing::Within);
    }
}
