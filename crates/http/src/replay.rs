//! Answers given before, for callers who ask again.
//!
//! Kept in memory alone and for a short time; an answer that is forgotten is
//! dropped, and with it the secret wiped.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hallpass_core::{
    caller::Caller,
    ids::{CredentialId, Subject},
    refusal::Refusal,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Answers kept at most; then the oldest is forgotten first.
const CAPACITY: usize = 10_000;

/// Who asked, and under which name of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ReplayKey {
    /// The caller's subject.
    subject: Subject,
    /// The caller's tenant: the same subject may be another person there.
    tenant: Option<Subject>,
    /// Who vouches for them: an issuer, a kind of session, or the API key. Two
    /// issuers may know different people by one subject.
    credential: CredentialId,
    /// The `Idempotency-Key`.
    key: String,
}

impl ReplayKey {
    /// A caller's own name for a request.
    pub(crate) fn new(caller: &Caller, key: impl Into<String>) -> Self {
        Self {
            subject: caller.subject.clone(),
            tenant: caller.tenant.clone(),
            credential: caller.credential.clone(),
            key: key.into(),
        }
    }
}

/// What was asked: equal for equal requests.
pub(crate) type Fingerprint = u64;

/// An answer that many may get.
pub(crate) type Shared<A> = Result<Arc<A>, Refusal>;

/// What is to be done about a request.
pub(crate) enum Turn<A> {
    /// It is the first: do it, and tell the others.
    First(First<A>),
    /// It was done before, or by another meanwhile.
    Again(Shared<A>),
    /// The name was used before for something else.
    Other,
}

struct Entry<A> {
    fingerprint: Fingerprint,
    /// None while the first is under way, and for ever when it gave up.
    answer: watch::Receiver<Option<Shared<A>>>,
    number: u64,
}

struct Kept<A> {
    entries: HashMap<ReplayKey, Entry<A>>,
    /// Answers in the order in which they are to be forgotten.
    ends: VecDeque<(Instant, ReplayKey, u64)>,
    next: u64,
    swept: bool,
}

/// Answers of the last moments.
pub(crate) struct Replays<A> {
    keep: Duration,
    kept: Mutex<Kept<A>>,
}

impl<A: Send + Sync + 'static> Replays<A> {
    /// Keeps answers for this long.
    pub(crate) fn new(keep: Duration) -> Self {
        Self {
            keep,
            kept: Mutex::new(Kept {
                entries: HashMap::new(),
                ends: VecDeque::new(),
                next: 0,
                swept: false,
            }),
        }
    }

    /// Finds out whose turn it is. Waits where another is at it.
    pub(crate) async fn turn(
        self: &Arc<Self>,
        key: &ReplayKey,
        fingerprint: Fingerprint,
    ) -> Turn<A> {
        loop {
            let mut answer = match self.find_or_begin(key, fingerprint) {
                Ok(turn) => return turn,
                Err(answer) => answer,
            };
            let ready = answer.wait_for(Option::is_some).await;
            if let Ok(ready) = ready
                && let Some(answer) = &*ready
            {
                return Turn::Again(answer.clone());
            }
            // The first gave up without an answer, so someone has to be first.
        }
    }

    #[allow(
        clippy::type_complexity,
        reason = "an answer to wait for, or a turn at once"
    )]
    fn find_or_begin(
        self: &Arc<Self>,
        key: &ReplayKey,
        fingerprint: Fingerprint,
    ) -> Result<Turn<A>, watch::Receiver<Option<Shared<A>>>> {
        let mut kept = self.kept();
        kept.forget(Instant::now());
        if let Some(entry) = kept.entries.get(key) {
            if entry.fingerprint != fingerprint {
                return Ok(Turn::Other);
            }
            return Err(entry.answer.clone());
        }
        let (tell, answer) = watch::channel(None);
        let number = kept.next;
        kept.next += 1;
        let entry = Entry {
            fingerprint,
            answer,
            number,
        };
        kept.entries.insert(key.clone(), entry);
        Ok(Turn::First(First {
            replays: Arc::clone(self),
            key: key.clone(),
            number,
            tell,
            done: false,
        }))
    }

    fn keep(self: &Arc<Self>, key: &ReplayKey, number: u64, life: Duration) {
        let end = Instant::now() + self.keep.min(life);
        let mut kept = self.kept();
        let at = kept.ends.partition_point(|(other, ..)| *other <= end);
        kept.ends.insert(at, (end, key.clone(), number));
        while kept.ends.len() > CAPACITY {
            kept.forget_first();
        }
        if !std::mem::replace(&mut kept.swept, true) {
            tokio::spawn(Arc::clone(self).sweep());
        }
    }

    /// Forgets answers in time even when nobody asks.
    async fn sweep(self: Arc<Self>) {
        loop {
            let next = {
                let mut kept = self.kept();
                kept.forget(Instant::now());
                let next = kept.ends.front().map(|(end, _, _)| *end);
                kept.swept = next.is_some();
                next
            };
            let Some(next) = next else { return };
            sleep_until(next).await;
        }
    }
}

impl<A> Replays<A> {
    fn kept(&self) -> MutexGuard<'_, Kept<A>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Kept<A> {
    fn forget(&mut self, now: Instant) {
        while self.ends.front().is_some_and(|(end, _, _)| *end <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key, number)) = self.ends.pop_front() {
            self.remove(&key, number);
        }
    }

    fn remove(&mut self, key: &ReplayKey, number: u64) {
        if self.entries.get(key).is_some_and(|it| it.number == number) {
            self.entries.remove(key);
        }
    }
}

/// The first request of its name, under way.
///
/// Dropped without an answer, because its caller hung up, it lets the next one
/// be first.
pub(crate) struct First<A> {
    replays: Arc<Replays<A>>,
    key: ReplayKey,
    number: u64,
    tell: watch::Sender<Option<Shared<A>>>,
    done: bool,
}

impl<A: Send + Sync + 'static> First<A> {
    /// Tells the answer to those who wait. A good one is kept while it is worth
    /// anything; a refusal is not, so that asking again later can succeed.
    pub(crate) fn answer(mut self, answer: &Shared<A>, life: Duration) {
        if answer.is_ok() {
            self.replays.keep(&self.key, self.number, life);
            self.done = true;
        }
        self.tell.send_replace(Some(answer.clone()));
    }
}

impl<A> Drop for First<A> {
    fn drop(&mut self) {
        if !self.done {
            self.replays.kept().remove(&self.key, self.number);
        }
    }
}

#[cfg(test)]
mod tests;
