//! The ports whose truth is the database, as one replica has them.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    call::{StandingCall, StandingCalls},
    grant::{Grant, GrantEvent, Mode},
    ids::{GrantId, RevocationId},
    ports::{GrantFilter, Grants, RevocationFeed, Revocations, StoreError, Synced, Withdrawn},
    revocation::{Hit, Lifted, Question, Revocation, Scope},
};
use hallpass_store_memory::MemoryRevocations;
use tokio::time::Instant;

use crate::{
    database::{DEAD_AFTER, PATIENCE, Truth},
    remote::Remote,
};

fn away(error: io::Error) -> StoreError {
    StoreError(format!("the database: {error}"))
}

/// Grants, asked for each time.
pub(crate) struct NetGrants(pub(crate) Remote<Truth>);

impl NetGrants {
    async fn ask<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Truth) -> R + Send + 'static,
    ) -> Result<R, StoreError> {
        self.0.ask(PATIENCE, job).await.map_err(away)
    }
}

#[async_trait]
impl Grants for NetGrants {
    async fn record(&self, grant: Arc<Grant>) -> Result<(), StoreError> {
        let grant = Arc::unwrap_or_clone(grant);
        self.ask(move |truth| drop(truth.grants.insert(grant.id.clone(), grant)))
            .await
    }

    async fn find(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        let id = id.clone();
        self.ask(move |truth| truth.grants.get(&id).cloned()).await
    }

    async fn list(&self, _: &GrantFilter) -> Result<Vec<Grant>, StoreError> {
        self.ask(|truth| truth.grants.values().cloned().collect())
            .await
    }

    async fn apply(&self, id: &GrantId, event: GrantEvent) -> Result<Option<Grant>, StoreError> {
        let id = id.clone();
        self.ask(move |truth| {
            let grant = truth.grants.get_mut(&id)?;
            grant.state = grant.state.after(event);
            Some(grant.clone())
        })
        .await
    }

    async fn supersede(&self, id: &GrantId, successor: &GrantId) -> Result<bool, StoreError> {
        let (id, successor) = (id.clone(), successor.clone());
        self.ask(move |truth| {
            let grant = truth.grants.get_mut(&id);
            grant.is_some_and(|grant| {
                let first = grant.superseded_by.is_none();
                grant.superseded_by.get_or_insert(successor);
                first
            })
        })
        .await
    }

    async fn withdraw(&self, scope: &Scope, now: Timestamp) -> Result<Withdrawn, StoreError> {
        let scope = scope.clone();
        self.ask(move |truth| {
            let mut withdrawn = Withdrawn::default();
            for grant in truth.grants.values_mut().filter(|it| scope.covers(it)) {
                let after = grant.state_at(now).after(GrantEvent::Revoke);
                withdrawn.revoked += u64::from(after != grant.state);
                grant.state = after;
                if grant.mode == Mode::Direct && grant.expires_at > now {
                    withdrawn.unexpired += 1;
                    let until = withdrawn.unexpired_until.max(Some(grant.expires_at));
                    withdrawn.unexpired_until = until;
                }
            }
            withdrawn
        })
        .await
    }

    async fn expire(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn prune(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}

/// Revocations: checked in memory, changed and followed in the database.
pub(crate) struct NetRevocations {
    memory: MemoryRevocations,
    database: Remote<Truth>,
    /// Memory has every change up to this one.
    synced: AtomicU64,
    own: AtomicU64,
    /// A defect: nothing is heard of any more.
    deaf: bool,
}

impl NetRevocations {
    /// Reads what is in force; tries until it can.
    pub(crate) async fn load(database: Remote<Truth>, deaf: bool) -> Arc<Self> {
        let mut ours = Self {
            memory: MemoryRevocations::default(),
            database,
            synced: AtomicU64::new(0),
            own: AtomicU64::new(0),
            deaf: false,
        };
        while ours.sync().await.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        ours.deaf = deaf;
        Arc::new(ours)
    }
}

#[async_trait]
impl RevocationFeed for NetRevocations {
    fn revision(&self) -> u64 {
        let own = self.own.load(Ordering::SeqCst);
        self.synced.load(Ordering::SeqCst).max(own)
    }

    async fn sync(&self) -> Result<Synced, StoreError> {
        let from = self.synced.load(Ordering::SeqCst);
        let newer = self
            .database
            .ask(PATIENCE, move |truth| truth.since(from))
            .await;
        let (revision, mut added) = newer.map_err(away)?;
        if self.deaf {
            added.clear();
        }
        for revocation in &added {
            self.memory.add(revocation).await?;
        }
        self.synced.fetch_max(revision, Ordering::SeqCst);
        Ok(Synced {
            revision,
            added,
            ended: Vec::new(),
        })
    }
}

#[async_trait]
impl Revocations for NetRevocations {
    fn check(&self, question: &Question<'_>) -> Option<Hit> {
        self.memory.check(question)
    }

    fn epoch(&self) -> u64 {
        self.memory.epoch()
    }

    async fn add(&self, revocation: &Revocation) -> Result<Revocation, StoreError> {
        let given = revocation.clone();
        let added = self
            .database
            .ask(PATIENCE, move |truth| truth.revoke(given))
            .await;
        let (revision, kept) = added.map_err(away)?;
        self.memory.add(&kept).await?;
        self.own.fetch_max(revision, Ordering::SeqCst);
        Ok(kept)
    }

    async fn lift(&self, _: &RevocationId, _: &Lifted) -> Result<Option<Revocation>, StoreError> {
        Ok(None)
    }

    async fn list(&self, lifted_too: bool, limit: usize) -> Result<Vec<Revocation>, StoreError> {
        self.memory.list(lifted_too, limit).await
    }

    async fn prune(&self, _: Timestamp) -> Result<usize, StoreError> {
        Ok(0)
    }
}

/// Standing calls, as one process cares for them.
pub(crate) struct NetCalls {
    database: Remote<Truth>,
    process: u64,
    held: Mutex<BTreeSet<String>>,
    /// Since when it was heard without a break, and when last.
    beats: Mutex<Option<(Instant, Instant)>>,
}

impl NetCalls {
    pub(crate) fn new(database: Remote<Truth>, process: u64) -> Self {
        Self {
            database,
            process,
            held: Mutex::default(),
            beats: Mutex::default(),
        }
    }

    /// Says that this process lives.
    pub(crate) async fn beat(&self) {
        let process = self.process;
        let asked = self
            .database
            .ask(PATIENCE, move |truth| truth.beat(process))
            .await;
        let now = Instant::now();
        let mut beats = self.beats.lock().unwrap();
        let steady = beats.filter(|(_, last)| now - *last <= DEAD_AFTER / 2);
        let since = steady.map_or(now, |(since, _)| since);
        *beats = asked.is_ok().then_some((since, now));
    }

    fn is_steady(&self) -> bool {
        let beats = *self.beats.lock().unwrap();
        beats.is_some_and(|(since, last)| {
            last - since >= DEAD_AFTER && last.elapsed() <= DEAD_AFTER / 2
        })
    }
}

#[async_trait]
impl StandingCalls for NetCalls {
    async fn keep(&self, call: &StandingCall) -> Result<(), StoreError> {
        let (id, process, call) = (call.place.call_id.clone(), self.process, call.clone());
        let row = id.clone();
        let kept = self.database.ask(PATIENCE, move |truth| {
            truth.calls.insert(row, (call, process));
        });
        kept.await.map_err(away)?;
        // Not before: a look for lost ones that overtakes this question would
        // take it for one of them.
        self.held.lock().unwrap().insert(id);
        Ok(())
    }

    async fn forget(&self, call_id: &str) -> Result<(), StoreError> {
        let (id, process) = (call_id.to_owned(), self.process);
        let forgotten = self.database.ask(PATIENCE, move |truth| {
            if truth
                .calls
                .get(&id)
                .is_some_and(|(_, owner)| *owner == process)
            {
                truth.calls.remove(&id);
            }
        });
        forgotten.await.map_err(away)?;
        self.held.lock().unwrap().remove(call_id);
        Ok(())
    }

    async fn all(&self) -> Result<Vec<StandingCall>, StoreError> {
        let all = self.database.ask(PATIENCE, |truth| {
            truth.calls.values().map(|(call, _)| call.clone()).collect()
        });
        all.await.map_err(away)
    }

    async fn adopt(&self) -> Result<Vec<StandingCall>, StoreError> {
        let (process, steady) = (self.process, self.is_steady());
        let given = self
            .database
            .ask(PATIENCE, move |truth| truth.adopt(process, steady));
        let mut given = given.await.map_err(away)?;
        let mut held = self.held.lock().unwrap();
        given.retain(|call| held.insert(call.place.call_id.clone()));
        Ok(given)
    }

    async fn lost(&self) -> Result<Vec<String>, StoreError> {
        let before = self.held.lock().unwrap().clone();
        let process = self.process;
        let ours = self
            .database
            .ask(PATIENCE, move |truth| truth.calls_of(process));
        let ours = ours.await.map_err(away)?;
        let mut held = self.held.lock().unwrap();
        let lost = before.into_iter().filter(|call| !ours.contains(call));
        Ok(lost.filter(|call| held.remove(call)).collect())
    }
}

/// Says every second that a process lives.
pub(crate) async fn keep_beating(calls: Arc<NetCalls>) {
    loop {
        calls.beat().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
