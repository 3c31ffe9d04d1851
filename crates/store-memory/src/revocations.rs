//! Revocations of one process, gone with it.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::RevocationId,
    ports::{Revocations, StoreError},
    revocation::{Hit, InForce, Lifted, Question, Revocation},
};

/// Revocations in memory only.
#[derive(Debug, Default)]
pub struct MemoryRevocations {
    kept: Mutex<Kept>,
    epoch: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    in_force: InForce,
    history: Vec<Revocation>,
}

impl MemoryRevocations {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Revocations for MemoryRevocations {
    fn check(&self, question: &Question<'_>) -> Option<Hit> {
        self.lock().in_force.check(question)
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    async fn add(&self, revocation: &Revocation) -> Result<Revocation, StoreError> {
        let mut kept = self.lock();
        let Kept { in_force, history } = &mut *kept;
        let known = in_force.of(&revocation.scope);
        let known = known.and_then(|id| history.iter().find(|old| old.id == *id));
        if let Some(known) = known {
            return Ok(known.clone());
        }
        in_force.insert(revocation.id.clone(), &revocation.scope);
        history.push(revocation.clone());
        self.epoch.fetch_add(1, Ordering::SeqCst);
        Ok(revocation.clone())
    }

    async fn lift(
        &self,
        id: &RevocationId,
        end: &Lifted,
    ) -> Result<Option<Revocation>, StoreError> {
        let mut kept = self.lock();
        let Kept { in_force, history } = &mut *kept;
        let Some(found) = history.iter_mut().find(|old| old.id == *id) else {
            return Ok(None);
        };
        if found.lifted.is_none() {
            found.lifted = Some(end.clone());
            in_force.remove(&found.scope);
            self.epoch.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Some(found.clone()))
    }

    async fn list(&self, lifted_too: bool, limit: usize) -> Result<Vec<Revocation>, StoreError> {
        let kept = self.lock();
        let asked = kept.history.iter();
        let mut asked: Vec<Revocation> = asked
            .filter(|old| lifted_too || old.lifted.is_none())
            .cloned()
            .collect();
        asked.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        asked.truncate(limit);
        Ok(asked)
    }

    async fn prune(&self, before: Timestamp) -> Result<usize, StoreError> {
        let mut kept = self.lock();
        let Kept { in_force, history } = &mut *kept;
        let over = |old: &Revocation| old.is_over(before);
        let (gone, left): (Vec<_>, Vec<_>) = history.drain(..).partition(over);
        for old in gone.iter().filter(|old| old.lifted.is_none()) {
            in_force.remove(&old.scope);
        }
        *history = left;
        self.epoch.fetch_add(1, Ordering::SeqCst);
        Ok(gone.len())
    }
}
