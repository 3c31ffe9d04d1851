//! Live sessions: relayed WebSockets and brokered calls, as long as they last.
//!
//! Whoever holds a [`LiveSession`] can end it: the task that carries it waits
//! for [`LiveSession::ended`] and closes what it carries. The registry of one
//! process, [`LiveSessions`], ends all that a revocation reaches.

mod end;
mod peers;
mod registry;

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::{
    Timestamp,
    grant::Grant,
    ids::{LiveId, RoleName},
    usage::{Budget, Usage},
};

pub use end::{EndKind, EndReason};
pub use peers::{Elsewhere, LiveView, NoPeers, Obeyed, Order, Peers};
pub use registry::{LiveFilter, LiveSessions, LiveWatch};

/// What is known of a session when it begins.
#[derive(Debug, Clone)]
pub struct LiveFacts {
    /// Its id.
    pub id: LiveId,
    /// The grant it was opened with.
    pub grant: Arc<Grant>,
    /// The role that allowed it.
    pub role: RoleName,
    /// What it may use.
    pub budget: Budget,
    /// Its model.
    pub model: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// How long a renewal lasts, in seconds; none where there is no lease.
    pub lease_seconds: Option<u32>,
}

/// One live session.
#[derive(Debug)]
pub struct LiveSession {
    facts: LiveFacts,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    lease_until: Option<Timestamp>,
    upstream_id: Option<String>,
    usage: Usage,
    counted_to: Timestamp,
    warned: bool,
    end: Option<EndReason>,
    waiting: Vec<Waker>,
}

impl LiveSession {
    /// A session that begins now.
    #[must_use]
    pub fn new(facts: LiveFacts) -> Self {
        let lease = facts.lease_seconds;
        let state = State {
            lease_until: lease.map(|seconds| later(facts.started_at, seconds)),
            upstream_id: None,
            usage: Usage::default(),
            counted_to: facts.started_at,
            warned: false,
            end: None,
            waiting: Vec::new(),
        };
        Self {
            facts,
            state: Mutex::new(state),
        }
    }

    /// A session that began elsewhere and is carried on here, after it used
    /// something. Time that was not counted there is counted here; a lease
    /// begins anew, since nobody was there to renew it.
    #[must_use]
    pub fn resumed(facts: LiveFacts, used: Usage, now: Timestamp) -> Self {
        let live = std::time::Duration::from_millis(used.live_ms);
        let counted_to = facts.started_at.saturating_add(live);
        let lease = facts.lease_seconds;
        let lease = lease.map(|seconds| later(now, seconds).min(facts.ends_at));
        let session = Self::new(facts);
        let mut state = session.state();
        state.lease_until = lease;
        state.counted_to = counted_to.map_or(now, |time| time.min(now));
        state.usage = used;
        drop(state);
        session
    }

    /// What is known since it began.
    #[must_use]
    pub const fn facts(&self) -> &LiveFacts {
        &self.facts
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &LiveId {
        &self.facts.id
    }

    /// The grant it was opened with.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.facts.grant
    }

    /// What it used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.state().usage
    }

    /// Until when its lease lasts; none where there is no lease.
    #[must_use]
    pub fn lease_until(&self) -> Option<Timestamp> {
        self.state().lease_until
    }

    /// OpenAI's id of it: of a session `sess_…`, of a call `rtc_…`.
    #[must_use]
    pub fn upstream_id(&self) -> Option<String> {
        self.state().upstream_id.clone()
    }

    /// Notes OpenAI's id of it.
    pub fn set_upstream_id(&self, id: &str) {
        self.state().upstream_id = Some(id.to_owned());
    }

    /// When time alone ends it next: its limit or its lease.
    #[must_use]
    pub fn due(&self) -> (Timestamp, EndReason) {
        match self.lease_until() {
            Some(lease) if lease < self.facts.ends_at => (lease, EndReason::LeaseExpired),
            _ => (self.facts.ends_at, EndReason::TimeLimit),
        }
    }

    /// Extends the lease from a moment on, never beyond the session's limit;
    /// until when it lasts then. None where there is no lease, or the session
    /// is over.
    pub fn renew(&self, now: Timestamp) -> Option<Timestamp> {
        let seconds = self.facts.lease_seconds?;
        let mut state = self.state();
        if state.end.is_some() {
            return None;
        }
        let until = later(now, seconds).min(self.facts.ends_at);
        state.lease_until = state.lease_until.max(Some(until));
        wake(&mut state);
        Some(until)
    }

    /// Ends it; false where it was ended before, whose reason stays.
    pub fn end(&self, reason: EndReason) -> bool {
        let mut state = self.state();
        if state.end.is_some() {
            return false;
        }
        state.end = Some(reason);
        wake(&mut state);
        true
    }

    /// Why it was ended; none while nobody did.
    #[must_use]
    pub fn end_reason(&self) -> Option<EndReason> {
        self.state().end
    }

    /// Ready with the reason once someone ended it. Wakes the task also when
    /// the lease was renewed.
    pub fn poll_ended(&self, cx: &Context<'_>) -> Poll<EndReason> {
        let mut state = self.state();
        if let Some(reason) = state.end {
            return Poll::Ready(reason);
        }
        let known = state
            .waiting
            .iter()
            .any(|waker| waker.will_wake(cx.waker()));
        if !known {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until someone ends it.
    pub async fn ended(&self) -> EndReason {
        let mut wait = Wait {
            session: self,
            waker: None,
        };
        poll_fn(|cx| wait.poll(cx)).await
    }

    /// Adds usage; the usage since the last time it was asked is added to the
    /// time it was live.
    pub(crate) fn count(&self, mut more: Usage, now: Timestamp) -> (Usage, Usage) {
        let mut state = self.state();
        let passed = now.duration_since(state.counted_to).as_millis().max(0);
        let passed = u64::try_from(passed).unwrap_or(0);
        state.counted_to = state.counted_to.max(now);
        more.live_ms = passed;
        state.usage.add(&more);
        (more, state.usage)
    }

    /// Leaves the time up to a moment uncounted: it was not live then.
    pub(crate) fn skip_to(&self, now: Timestamp) {
        let mut state = self.state();
        state.counted_to = state.counted_to.max(now);
    }

    /// Whether nobody was warned before; they are then.
    pub(crate) fn first_warning(&self) -> bool {
        !std::mem::replace(&mut self.state().warned, true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait for the end that may be given up: who waits is forgotten then, and
/// with it the task that waited, whose memory its waker holds.
struct Wait<'s> {
    session: &'s LiveSession,
    waker: Option<Waker>,
}

impl Wait<'_> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<EndReason> {
        self.waker = Some(cx.waker().clone());
        self.session.poll_ended(cx)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(waker) = &self.waker {
            let mut state = self.session.state();
            state.waiting.retain(|other| !other.will_wake(waker));
        }
    }
}

/// A moment some seconds later.
fn later(time: Timestamp, seconds: u32) -> Timestamp {
    let wait = std::time::Duration::from_secs(seconds.into());
    time.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

fn wake(state: &mut State) {
    for waker in state.waiting.drain(..) {
        waker.wake();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        grant::{GrantState, Mode},
        ids::{CredentialId, GrantId, LineageId, ProfileName, RequestId, Subject},
    };

    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    pub(crate) fn session(number: u8, subject: &str, lease: Option<u32>) -> LiveSession {
        let id = GrantId::from_random([number; 16]);
        let grant = Grant {
            lineage: LineageId::begun_by(&id),
            id,
            state: GrantState::Connected,
            subject: Subject::new(subject).unwrap(),
            credential: CredentialId::new("app").unwrap(),
            profile: ProfileName::new("interview").unwrap(),
            session_id: None,
            mode: Mode::Relay,
            created_at: at(0),
            expires_at: at(60),
            refresh_after: at(48),
            secret_last4: String::new(),
            secret_hash: String::new(),
            address: None,
            user_agent: None,
            request_id: RequestId::from_random([1; 16]),
            upstream_request_id: None,
            refresh_of: None,
            superseded_by: None,
        };
        LiveSession::new(LiveFacts {
            id: LiveId::from_random([number; 16]),
            grant: Arc::new(grant),
            role: RoleName::new("candidate").unwrap(),
            budget: Budget::default(),
            model: Some("gpt-realtime-2.1".to_owned()),
            started_at: at(0),
            ends_at: at(600),
            lease_seconds: lease,
        })
    }

    #[test]
    fn the_first_reason_stays() {
        let session = session(1, "a", None);
        assert!(session.end(EndReason::Revoked));
        assert!(!session.end(EndReason::Drain));
        assert_eq!(session.end_reason(), Some(EndReason::Revoked));
    }

    #[tokio::test]
    async fn who_waits_is_told() {
        let session = Arc::new(session(1, "a", None));
        let waiting = tokio::spawn({
            let session = session.clone();
            async move { session.ended().await }
        });
        tokio::task::yield_now().await;
        session.end(EndReason::Operator);
        assert_eq!(waiting.await.unwrap(), EndReason::Operator);
    }

    #[test]
    fn a_wait_that_was_given_up_is_forgotten() {
        let session = session(1, "a", None);
        let mut waiting = Box::pin(session.ended());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        assert_eq!(session.state().waiting.len(), 1);
        drop(waiting);
        assert_eq!(session.state().waiting.len(), 0);
    }

    #[test]
    fn a_lease_ends_before_the_limit_unless_renewed_and_never_after() {
        let session = session(1, "a", Some(60));
        assert_eq!(session.due(), (at(60), EndReason::LeaseExpired));
        assert_eq!(session.renew(at(30)), Some(at(90)));
        assert_eq!(session.due(), (at(90), EndReason::LeaseExpired));
        assert_eq!(session.renew(at(590)), Some(at(600)));
        assert_eq!(session.due(), (at(600), EndReason::TimeLimit));
    }

    #[test]
    fn what_has_no_lease_or_is_over_is_not_renewed() {
        assert_eq!(session(1, "a", None).renew(at(1)), None);
        let over = session(1, "a", Some(60));
        over.end(EndReason::Idle);
        assert_eq!(over.renew(at(1)), None);
    }

    #[test]
    fn a_resumed_session_counts_on_from_where_it_was_counted_to() {
        let facts = session(1, "a", Some(60)).facts().clone();
        let used = Usage {
            responses: 2,
            live_ms: 20_000,
            ..Usage::default()
        };
        let session = LiveSession::resumed(facts, used, at(28));
        assert_eq!(session.lease_until(), Some(at(88)));
        let (more, all) = session.count(Usage::default(), at(30));
        assert_eq!((more.live_ms, all.live_ms), (10_000, 30_000));
        assert_eq!((more.responses, all.responses), (0, 2));
        session.skip_to(at(100));
        let (more, _) = session.count(Usage::default(), at(101));
        assert_eq!(more.live_ms, 1_000);
    }

    #[test]
    fn time_is_counted_once() {
        let session = session(1, "a", None);
        let (more, _) = session.count(Usage::default(), at(10));
        assert_eq!(more.live_ms, 10_000);
        let (more, all) = session.count(Usage::default(), at(15));
        assert_eq!((more.live_ms, all.live_ms), (5_000, 15_000));
        let (more, all) = session.count(Usage::default(), at(12));
        assert_eq!((more.live_ms, all.live_ms), (0, 15_000));
    }
}
