//! The circuit breaker: a state machine without clock, chance or lock.
//!
//! ```text
//!          5 in a row, or half of 20 in 10 s
//!   closed ─────────────────────────────────▶ open ◀──┐
//!      ▲                                        │     │ the probe fails:
//!      │ the probe is answered                  ▼     │ twice as long
//!      └──────────────────────────────────── half-open┘
//! ```
//!
//! Whoever owns one passes the time in and tells how each call ended.

use std::time::Duration;

use hallpass_core::code::Code;
use tokio::time::Instant;

use crate::{judgement::Verdict, window::Window};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub consecutive_failures: u32,
    /// Failures in a hundred calls of the window that open it.
    pub failure_percent: u32,
    /// Calls in the window before their share counts.
    pub min_calls: u32,
    /// The window.
    pub window: Duration,
    /// How long it stays open the first time; doubled with each failed probe.
    pub open: Duration,
    /// How long it stays open at most.
    pub max_open: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_percent: 50,
            min_calls: 20,
            window: Duration::from_secs(10),
            open: Duration::from_secs(30),
            max_open: Duration::from_secs(300),
        }
    }
}

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// It lets all through.
    Closed,
    /// It lets none through.
    Open,
    /// It lets one through at a time, to see whether the upstream is back.
    HalfOpen,
}

impl BreakerState {
    /// The state as it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A state that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: BreakerState,
    pub(crate) to: BreakerState,
    /// The code of the failure that opened it.
    pub(crate) cause: Option<Code>,
    /// Whether an operator wanted it so.
    pub(crate) forced: bool,
    /// How long it stays open.
    pub(crate) open_for: Option<Duration>,
}

/// A call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    epoch: u64,
    probe: bool,
}

/// Whether a call could be let through now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It would pass.
    Ready,
    /// It would pass as the probe.
    ProbeDue,
    /// It would be refused; trying again makes sense after this time.
    Refused(Duration),
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { probing: bool },
}

/// One upstream's breaker.
#[derive(Debug)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
    state: State,
    forced: Option<BreakerState>,
    /// Changes with the state, so that late results of earlier calls are known.
    epoch: u64,
    in_a_row: u32,
    window: Window,
    /// How often it opened without a lasting recovery.
    reopened: u32,
    since: Instant,
    cause: Option<Code>,
}

/// How soon after a probe others may hope for its result.
const PROBE_WAIT: Duration = Duration::from_secs(1);

impl Breaker {
    /// A closed breaker that has seen nothing.
    pub(crate) fn new(settings: BreakerSettings, now: Instant) -> Self {
        Self {
            settings,
            state: State::Closed,
            forced: None,
            epoch: 0,
            in_a_row: 0,
            window: Window::new(settings.window, now),
            reopened: 0,
            since: now,
            cause: None,
        }
    }

    /// The state, an operator's wish first.
    pub(crate) fn state(&self) -> BreakerState {
        self.forced.unwrap_or(match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        })
    }

    /// Whether an operator holds it in its state.
    pub(crate) const fn is_forced(&self) -> bool {
        self.forced.is_some()
    }

    /// The state an operator holds it in.
    pub(crate) const fn wish(&self) -> Option<BreakerState> {
        self.forced
    }

    /// Calls that failed since the last that did not, or since the state changed.
    pub(crate) const fn failures_in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// The code of the failure that opened it; none while closed.
    pub(crate) const fn cause(&self) -> Option<Code> {
        self.cause
    }

    /// Whether a call could be let through now.
    pub(crate) fn standing(&self, now: Instant) -> Standing {
        match (self.forced, self.state) {
            (Some(BreakerState::Closed), _) | (None, State::Closed) => Standing::Ready,
            (Some(_), _) => Standing::Refused(self.settings.open),
            (None, State::Open { until }) if now < until => {
                Standing::Refused(until.duration_since(now))
            }
            (None, State::HalfOpen { probing: true }) => Standing::Refused(PROBE_WAIT),
            (None, _) => Standing::ProbeDue,
        }
    }

    /// Lets a call through, or not.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<(Ticket, Option<Change>)> {
        let probe = match self.standing(now) {
            Standing::Ready => false,
            Standing::ProbeDue => true,
            Standing::Refused(_) => return None,
        };
        let change = match self.state {
            State::Open { .. } if probe => self.enter(State::HalfOpen { probing: true }, now),
            State::HalfOpen { .. } if probe => {
                self.state = State::HalfOpen { probing: true };
                None
            }
            _ => None,
        };
        let epoch = self.epoch;
        Some((Ticket { epoch, probe }, change))
    }

    /// A call ended without a result: its caller hung up.
    pub(crate) fn abandon(&mut self, ticket: Ticket) {
        if ticket.epoch == self.epoch
            && let State::HalfOpen { probing } = &mut self.state
        {
            *probing = false;
        }
    }

    /// A call ended. `cause` is its code where it failed; `shorten` gives a
    /// part of a time that an opening is shortened by, for jitter.
    pub(crate) fn record(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        cause: Option<Code>,
        now: Instant,
        shorten: impl FnOnce(Duration) -> Duration,
    ) -> Option<Change> {
        if ticket.epoch != self.epoch || self.forced.is_some() {
            return None;
        }
        if ticket.probe {
            return match verdict {
                Verdict::Well | Verdict::Answered => self.close(now),
                Verdict::Unwell | Verdict::KeyRefused => self.open(cause, now, shorten),
            };
        }
        let opens = match verdict {
            Verdict::Answered => false,
            Verdict::KeyRefused => true,
            Verdict::Well => {
                self.in_a_row = 0;
                self.window.count(now, false);
                false
            }
            Verdict::Unwell => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                self.window.count(now, true);
                self.too_many(now)
            }
        };
        opens.then(|| self.open(cause, now, shorten)).flatten()
    }

    /// An operator holds it open or closed, or lets it go.
    ///
    /// Let go, it starts anew: closed, with nothing counted.
    pub(crate) fn force(&mut self, wish: Option<BreakerState>, now: Instant) -> Option<Change> {
        let from = self.state();
        self.reopened = 0;
        self.restart(State::Closed, now);
        self.forced = wish;
        self.cause = None;
        let to = self.state();
        (from != to).then_some(Change {
            from,
            to,
            cause: None,
            forced: true,
            open_for: None,
        })
    }

    fn too_many(&mut self, now: Instant) -> bool {
        let BreakerSettings {
            consecutive_failures,
            failure_percent,
            min_calls,
            ..
        } = self.settings;
        let (calls, failures) = self.window.sums(now);
        let share = u64::from(failures) * 100 >= u64::from(calls) * u64::from(failure_percent);
        self.in_a_row >= consecutive_failures || (calls >= min_calls && share)
    }

    fn open(
        &mut self,
        cause: Option<Code>,
        now: Instant,
        shorten: impl FnOnce(Duration) -> Duration,
    ) -> Option<Change> {
        let BreakerSettings { open, max_open, .. } = self.settings;
        let lasting = matches!(self.state, State::Closed) && now - self.since >= open;
        if lasting {
            self.reopened = 0;
        }
        let factor = 2_u32.saturating_pow(self.reopened.min(16));
        let longest = open.saturating_mul(factor).min(max_open);
        let open_for = longest.saturating_sub(shorten(longest));
        self.reopened = self.reopened.saturating_add(1);
        self.cause = cause;
        let change = self.enter(
            State::Open {
                until: now + open_for,
            },
            now,
        )?;
        Some(Change {
            open_for: Some(open_for),
            ..change
        })
    }

    fn close(&mut self, now: Instant) -> Option<Change> {
        self.cause = None;
        self.enter(State::Closed, now)
    }

    fn enter(&mut self, state: State, now: Instant) -> Option<Change> {
        let from = self.state();
        self.restart(state, now);
        let to = self.state();
        (from != to).then_some(Change {
            from,
            to,
            cause: self.cause,
            forced: false,
            open_for: None,
        })
    }

    fn restart(&mut self, state: State, now: Instant) {
        self.state = state;
        self.epoch += 1;
        self.in_a_row = 0;
        self.window = Window::new(self.settings.window, now);
        self.since = now;
    }
}

#[cfg(test)]
mod tests;
