//! When something is due in a session, on one timer.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hallpass_core::{Timestamp, live::EndReason, pipeline::Opened};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;

/// What came due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The session has to end.
    End(EndReason),
    /// It ends soon.
    Warn(&'static str),
    /// Its minutes are to be counted.
    Tick,
}

/// The timer of one session.
pub(super) struct Times {
    sleep: Pin<Box<Sleep>>,
    limits: Limits,
    idle: Option<Duration>,
    opens_by: Option<Instant>,
    active: Instant,
    ticked: Option<Instant>,
    warned: bool,
}

impl Times {
    pub(super) fn new(opened: &Opened, limits: Limits) -> Self {
        let now = Instant::now();
        let idle = opened.profile().live.idle_seconds;
        Self {
            sleep: Box::pin(sleep_until(now)),
            limits,
            idle: idle.map(|seconds| Duration::from_secs(seconds.into())),
            opens_by: Some(now + limits.open),
            active: now,
            ticked: opened.needs_ticks().then_some(now),
            warned: false,
        }
    }

    /// OpenAI's session is ready: what was put off until then may be due.
    pub(super) fn opened(&mut self) {
        self.opens_by = None;
        self.wake_at(Instant::now());
    }

    /// Something was said.
    pub(super) fn active(&mut self) {
        self.active = Instant::now();
    }

    /// Ready when the timer fired; it has to be set again then.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }

    /// What is due, one after the other; sets the timer when nothing is.
    pub(super) fn due(&mut self, opened: &Opened, stalled: Option<Instant>) -> Option<Due> {
        let now = Instant::now();
        let mut next = now + Duration::from_secs(3600);
        let mut is_due = |at: Instant| {
            next = next.min(at);
            at <= now
        };
        if self.opens_by.is_some_and(&mut is_due) {
            return Some(Due::End(EndReason::UpstreamUnreachable));
        }
        let (ends, reason) = opened.live().due();
        let ends = now + until(opened.now(), ends);
        if is_due(ends) {
            return Some(Due::End(reason));
        }
        if self.idle.is_some_and(|idle| is_due(self.active + idle)) {
            return Some(Due::End(EndReason::Idle));
        }
        if stalled.is_some_and(|since| is_due(since + self.limits.stall)) {
            return Some(Due::End(EndReason::Stalled));
        }
        let warns = ends.checked_sub(self.limits.warning).unwrap_or(now);
        if !self.warned && self.opens_by.is_none() && is_due(warns) {
            self.warned = true;
            return Some(Due::Warn(match reason {
                EndReason::LeaseExpired => "lease",
                _ => "time_limit",
            }));
        }
        if let Some(ticked) = &mut self.ticked
            && is_due(*ticked + self.limits.tick)
        {
            *ticked = now;
            return Some(Due::Tick);
        }
        self.wake_at(next);
        None
    }

    /// Sets the timer.
    pub(super) fn wake_at(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at);
    }
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    let left = then.duration_since(now);
    if left.is_negative() {
        Duration::ZERO
    } else {
        left.unsigned_abs()
    }
}
