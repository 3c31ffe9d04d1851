//! The live sessions of one process.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use super::{EndReason, LiveSession, Order};
use crate::{
    grant::Grant,
    ids::{LiveId, ProfileName, SessionId, Subject},
    revocation::Scope,
};

/// Which live sessions are asked for.
#[derive(Debug, Clone, Default)]
pub struct LiveFilter {
    /// Only this caller's.
    pub subject: Option<Subject>,
    /// Only of this interview.
    pub session_id: Option<SessionId>,
    /// Only of this profile.
    pub profile: Option<ProfileName>,
}

impl LiveFilter {
    pub(super) fn takes(&self, grant: &Grant) -> bool {
        let subject = self.subject.as_ref();
        let profile = self.profile.as_ref();
        subject.is_none_or(|subject| grant.subject == *subject)
            && profile.is_none_or(|profile| grant.profile == *profile)
            && (self.session_id.is_none() || grant.session_id == self.session_id)
    }
}

/// Is told which sessions began, changed or are over here.
///
/// It is called where a session stands, so it must not wait.
pub trait LiveWatch: Send + Sync {
    /// Something about the session of this id is another than before.
    fn changed(&self, id: &LiveId);
}

/// Every live session there is here, and the way to end them.
#[derive(Default)]
pub struct LiveSessions {
    table: Mutex<Table>,
    watch: OnceLock<Arc<dyn LiveWatch>>,
}

impl fmt::Debug for LiveSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSessions")
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Table {
    by_id: HashMap<LiveId, Arc<LiveSession>>,
    draining: bool,
}

impl LiveSessions {
    /// Enters a session; false where the server is stopping and takes no more.
    pub fn enter(&self, session: Arc<LiveSession>) -> bool {
        let mut table = self.table();
        if table.draining {
            return false;
        }
        let id = session.id().clone();
        table.by_id.insert(id.clone(), session);
        drop(table);
        self.changed(&id);
        true
    }

    /// Takes a session out that is over.
    pub fn leave(&self, id: &LiveId) {
        self.table().by_id.remove(id);
        self.changed(id);
    }

    /// Has someone told of every change from now on; the first one stays.
    pub fn watched_by(&self, watch: Arc<dyn LiveWatch>) {
        let _ = self.watch.set(watch);
    }

    /// Says that a session is another than before.
    pub fn changed(&self, id: &LiveId) {
        if let Some(watch) = self.watch.get() {
            watch.changed(id);
        }
    }

    /// The session of its own id.
    #[must_use]
    pub fn get(&self, id: &LiveId) -> Option<Arc<LiveSession>> {
        self.table().by_id.get(id).cloned()
    }

    /// The ids of all there are.
    #[must_use]
    pub fn ids(&self) -> Vec<LiveId> {
        self.table().by_id.keys().cloned().collect()
    }

    /// Does what another replica asks; false where the session is not here.
    pub fn obey(&self, id: &LiveId, order: Order) -> bool {
        let Some(session) = self.get(id) else {
            return false;
        };
        match order {
            Order::End(reason) => drop(session.end(reason)),
            Order::Renew(at) => drop(session.renew(at)),
        }
        self.changed(id);
        true
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table().by_id.len()
    }

    /// The session of an id: its own, or that of the grant it was opened with.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<LiveSession>> {
        let table = self.table();
        let own = LiveId::new(id).ok().and_then(|id| table.by_id.get(&id));
        let found = own.or_else(|| {
            let mut all = table.by_id.values();
            all.find(|session| session.grant().id.as_str() == id)
        });
        found.cloned()
    }

    /// The session that is the call of OpenAI's id.
    #[must_use]
    pub fn of_call(&self, call_id: &str) -> Option<Arc<LiveSession>> {
        let table = self.table();
        let mut all = table.by_id.values();
        let found = all.find(|session| session.upstream_id().as_deref() == Some(call_id));
        found.cloned()
    }

    /// Sessions, newest first.
    #[must_use]
    pub fn list(&self, filter: &LiveFilter) -> Vec<Arc<LiveSession>> {
        let table = self.table();
        let taken = table
            .by_id
            .values()
            .filter(|session| filter.takes(session.grant()));
        let mut sessions: Vec<_> = taken.cloned().collect();
        drop(table);
        sessions.sort_by(|a, b| {
            let order = |session: &LiveSession| (session.facts().started_at, session.id().clone());
            order(b).cmp(&order(a))
        });
        sessions
    }

    /// Ends every session a revocation reaches; how many that were.
    pub fn revoke(&self, scope: &Scope) -> u64 {
        self.end_where(EndReason::Revoked, |grant| scope.covers(grant))
    }

    /// Ends every session and takes no more.
    pub fn drain(&self) -> u64 {
        self.table().draining = true;
        self.end_where(EndReason::Drain, |_| true)
    }

    fn end_where(&self, reason: EndReason, reached: impl Fn(&Grant) -> bool) -> u64 {
        // Collected first: who is woken may want the lock.
        let table = self.table();
        let reached: Vec<_> = table
            .by_id
            .values()
            .filter(|session| reached(session.grant()))
            .cloned()
            .collect();
        drop(table);
        let ended = reached.iter().filter(|session| session.end(reason));
        u64::try_from(ended.count()).unwrap_or(u64::MAX)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tests::session;

    fn registry() -> LiveSessions {
        let registry = LiveSessions::default();
        for (number, subject) in [(1, "a"), (2, "b"), (3, "a")] {
            assert!(registry.enter(Arc::new(session(number, subject, None))));
        }
        registry
    }

    #[test]
    fn a_revocation_ends_what_it_reaches_and_nothing_else() {
        let registry = registry();
        let scope = Scope::Subject(Subject::new("a").unwrap());
        assert_eq!(registry.revoke(&scope), 2);
        assert_eq!(registry.revoke(&scope), 0, "they were ended before");
        let all = registry.list(&LiveFilter::default());
        let left = all.iter().filter(|session| session.end_reason().is_none());
        assert_eq!(left.count(), 1);
    }

    #[test]
    fn a_session_is_found_by_its_own_id_and_by_its_grants() {
        let registry = registry();
        let wanted = session(2, "b", None);
        for id in [wanted.id().as_str(), wanted.grant().id.as_str()] {
            assert_eq!(registry.find(id).unwrap().id(), wanted.id());
        }
        assert!(registry.find("ls_x").is_none());
        registry.leave(wanted.id());
        assert!(registry.find(wanted.id().as_str()).is_none());
        assert_eq!(registry.count(), 2);
    }

    #[test]
    fn a_stopping_server_ends_all_and_takes_no_more() {
        let registry = registry();
        assert_eq!(registry.drain(), 3);
        assert!(!registry.enter(Arc::new(session(4, "a", None))));
    }
}
