//! One key at one host: its client, its breaker, and how it answered lately.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hallpass_core::{Timestamp, code::Code, ports::Clock};
use tokio::time::Instant;

use crate::{
    breaker::{Breaker, BreakerSettings, BreakerState, Change, Standing, Ticket},
    judgement::Verdict,
    observer::{BreakerChange, PoolObserver},
    random::Random,
};

/// What is said of a target besides how to ask it.
#[derive(Debug, Clone)]
pub struct TargetSettings {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The standard key's public mark: tells keys apart, is no key.
    pub key: Arc<str>,
    /// Its share of the mints beside the others; 0: only where no other can.
    pub weight: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// When its breaker opens.
    pub breaker: BreakerSettings,
    /// The same for the same settings and key; another where any differs.
    pub fingerprint: Arc<str>,
}

/// What all targets of a pool share.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    pub(crate) observer: Arc<dyn PoolObserver>,
}

/// One key at one host.
pub(crate) struct Target<E> {
    pub(crate) settings: TargetSettings,
    pub(crate) exchange: E,
    around: Surroundings,
    health: Mutex<Health>,
}

struct Health {
    breaker: Breaker,
    rests_until: Option<Instant>,
    since: Timestamp,
    last_success: Option<Timestamp>,
    last_failure: Option<(Timestamp, Code)>,
    failures_in_a_row: u32,
}

/// How a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStatus {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The standard key's public mark.
    pub key: Arc<str>,
    /// Its share of the mints.
    pub weight: u32,
    /// What its breaker does with calls.
    pub breaker: BreakerState,
    /// Whether an operator holds the breaker so.
    pub forced: bool,
    /// Since when the breaker does so.
    pub since: Timestamp,
    /// The code of the failure that opened the breaker.
    pub cause: Option<Code>,
    /// When a call is let through again; none when one would be now.
    pub retry_in: Option<Duration>,
    /// The last call that gave a secret.
    pub last_success: Option<Timestamp>,
    /// The last call that failed by the upstream's fault, and its code.
    pub last_failure: Option<(Timestamp, Code)>,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
}

/// Whether a target could be asked now, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It is time to see whether it is back.
    Probe,
    /// It takes its share.
    Ready,
    /// It said it wants a rest until then.
    Resting(Instant),
    /// Its breaker is open.
    Refused(Duration),
}

impl<E> Target<E> {
    pub(crate) fn new(settings: TargetSettings, exchange: E, around: Surroundings) -> Self {
        let health = Health {
            breaker: Breaker::new(settings.breaker, Instant::now()),
            rests_until: None,
            since: around.clock.now(),
            last_success: None,
            last_failure: None,
            failures_in_a_row: 0,
        };
        Self {
            settings,
            exchange,
            around,
            health: Mutex::new(health),
        }
    }

    /// Whether it could be asked now.
    pub(crate) fn offer(&self, now: Instant) -> Offer {
        let health = self.health();
        match health.breaker.standing(now) {
            Standing::ProbeDue => Offer::Probe,
            Standing::Refused(wait) => Offer::Refused(wait),
            Standing::Ready => match health.rests_until {
                Some(until) if now < until => Offer::Resting(until),
                _ => Offer::Ready,
            },
        }
    }

    /// Why the breaker is open.
    pub(crate) fn cause(&self) -> Option<Code> {
        self.health().breaker.cause()
    }

    /// Calls that failed since the last that did not.
    pub(crate) fn failures_in_a_row(&self) -> u32 {
        self.health().breaker.failures_in_a_row()
    }

    /// The state an operator holds the breaker in.
    pub(crate) fn wish(&self) -> Option<BreakerState> {
        self.health().breaker.wish()
    }

    /// Leave to ask it once; none when another took the probe's place.
    pub(crate) fn admit(self: &Arc<Self>, now: Instant) -> Option<Leave<E>> {
        let (ticket, change) = self.changing(|health| {
            let admitted = health.breaker.admit(now);
            let change = admitted.and_then(|(_, change)| change);
            (admitted.map(|(ticket, _)| ticket), change)
        });
        self.tell(change);
        Some(Leave {
            target: Arc::clone(self),
            ticket: Some(ticket?),
            asked_at: None,
        })
    }

    /// An operator holds the breaker in a state, or lets it go.
    pub(crate) fn force(&self, wish: Option<BreakerState>) {
        let now = Instant::now();
        let ((), change) = self.changing(|health| {
            health.rests_until = None;
            ((), health.breaker.force(wish, now))
        });
        self.tell(change);
    }

    /// How it is.
    pub(crate) fn status(&self) -> TargetStatus {
        let now = Instant::now();
        let health = self.health();
        let retry_in = match health.breaker.standing(now) {
            Standing::Refused(wait) => Some(wait),
            Standing::Ready | Standing::ProbeDue => None,
        };
        TargetStatus {
            name: self.settings.name.clone(),
            key: self.settings.key.clone(),
            weight: self.settings.weight,
            breaker: health.breaker.state(),
            forced: health.breaker.is_forced(),
            since: health.since,
            cause: health.breaker.cause(),
            retry_in,
            last_success: health.last_success,
            last_failure: health.last_failure,
            failures_in_a_row: health.failures_in_a_row,
        }
    }

    fn changing<T>(
        &self,
        change: impl FnOnce(&mut Health) -> (T, Option<Change>),
    ) -> (T, Option<Change>) {
        let mut health = self.health();
        let (value, change) = change(&mut health);
        if change.is_some() {
            health.since = self.around.clock.now();
        }
        (value, change)
    }

    fn tell(&self, change: Option<Change>) {
        let Some(change) = change else { return };
        self.around.observer.breaker_changed(&BreakerChange {
            upstream: self.settings.name.clone(),
            key: self.settings.key.clone(),
            from: change.from,
            to: change.to,
            cause: change.cause,
            forced: change.forced,
            open_for: change.open_for,
        });
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to ask a target once.
///
/// Dropped without [`Leave::close`], because the caller hung up, it says
/// nothing about the target but lets the next probe through. Unless the target
/// had half its time by then: callers who do not wait to the end must not hide
/// that it is silent, or no breaker would ever open.
pub(crate) struct Leave<E> {
    pub(crate) target: Arc<Target<E>>,
    ticket: Option<Ticket>,
    asked_at: Option<Instant>,
}

impl<E> Leave<E> {
    /// The call begins.
    pub(crate) const fn asks(&mut self, now: Instant) {
        self.asked_at = Some(now);
    }

    /// Tells how the call ended, and how long the target wants to rest.
    pub(crate) fn close(mut self, verdict: Verdict, code: Option<Code>, rest: Option<Duration>) {
        self.end(verdict, code, rest);
    }

    fn end(&mut self, verdict: Verdict, code: Option<Code>, rest: Option<Duration>) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let target = &self.target;
        let (now, time) = (Instant::now(), target.around.clock.now());
        let ((), change) = target.changing(|health| {
            health.note(verdict, code, time);
            if let Some(rest) = rest {
                health.rests_until = Some(now + rest);
            }
            // A fifth at most, so that replicas do not probe in step.
            let shorten = |open: Duration| target.around.random.up_to(open / 5);
            (
                (),
                health.breaker.record(ticket, verdict, code, now, shorten),
            )
        });
        target.tell(change);
    }
}

impl<E> Drop for Leave<E> {
    fn drop(&mut self) {
        if self.ticket.is_none() {
            return;
        }
        let waited = self.asked_at.map_or(Duration::ZERO, |at| at.elapsed());
        if waited >= self.target.settings.timeout / 2 {
            self.end(Verdict::Unwell, Some(Code::UpstreamTimeout), None);
        }
        if let Some(ticket) = self.ticket.take() {
            self.target.health().breaker.abandon(ticket);
        }
    }
}

impl Health {
    fn note(&mut self, verdict: Verdict, code: Option<Code>, time: Timestamp) {
        match (verdict, code) {
            (Verdict::Well, _) => {
                self.last_success = Some(time);
                self.failures_in_a_row = 0;
            }
            // A refused override is the caller's fault, and says OpenAI is well.
            (_, Some(code)) if code.is_failure() => {
                self.last_failure = Some((time, code));
                self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            }
            _ => {}
        }
    }
}
