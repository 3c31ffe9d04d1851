//! Revocations whose truth other replicas change: followed, and not gone by
//! once they were not heard of for too long.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::RevocationId,
    live::LiveSessions,
    ports::{RevocationFeed, Revocations, StoreError},
    revocation::{Hit, Lifted, Question, Revocation},
};
use hallpass_store_redis::{Link, RevocationNews};
use tokio_util::sync::CancellationToken;

use super::told::Told;

/// What follows, by its name.
pub(super) const TASK: &str = "revocation-sync";

/// How often the stream is looked at.
const LISTEN: Duration = Duration::from_millis(150);
/// How often the truth is read though nobody spoke of a change.
const RECONCILE: Duration = Duration::from_secs(2);
/// How soon it is read again where that failed.
const AGAIN: Duration = Duration::from_millis(500);
/// How long reading may take.
const READ: Duration = Duration::from_secs(3);

/// Revocations as the durable store keeps them, told to and heard from others.
pub(crate) struct FollowedRevocations {
    kept: Arc<dyn Revocations>,
    truth: Arc<dyn RevocationFeed>,
    link: Option<Arc<Link>>,
    bound: Duration,
    started: Instant,
    /// What is known is from then, in milliseconds since the start.
    known_as_of: AtomicU64,
}

impl FollowedRevocations {
    /// Follows what was just loaded. Without a link it is read every few
    /// seconds only.
    pub(crate) fn new(
        kept: Arc<dyn Revocations>,
        truth: Arc<dyn RevocationFeed>,
        link: Option<Arc<Link>>,
        bound: Duration,
    ) -> Self {
        Self {
            kept,
            truth,
            link,
            bound,
            started: Instant::now(),
            known_as_of: AtomicU64::new(0),
        }
    }

    /// Follows until told to stop, and ends the live sessions that what it
    /// hears of reaches.
    pub(crate) async fn follow(
        self: Arc<Self>,
        live: Arc<LiveSessions>,
        told: Arc<Told>,
        stop: CancellationToken,
    ) {
        let mut news = self.link.clone().map(RevocationNews::new);
        let (mut due, mut was_fresh) = (Instant::now(), true);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(about(LISTEN)) => {}
            }
            if self.is_behind(news.as_mut()).await || Instant::now() >= due {
                let wait = match self.read(&live).await {
                    Ok(()) => {
                        told.read();
                        RECONCILE
                    }
                    Err(error) => {
                        tracing::warn!(%error, "revocations can't be read; trying again");
                        AGAIN
                    }
                };
                due = Instant::now() + about(wait);
            }
            let (age, fresh) = (self.age(), self.is_fresh());
            told.knows(age, fresh);
            if fresh != was_fresh {
                told.turned(fresh, age);
                was_fresh = fresh;
            }
        }
    }

    /// Whether someone spoke of a change that is not known here.
    async fn is_behind(&self, news: Option<&mut RevocationNews>) -> bool {
        let Some(news) = news else { return false };
        // Without Redis nobody can speak; the truth is read all the same.
        let heard = news.news().await.ok().flatten();
        heard.is_some_and(|revision| revision > self.truth.revision())
    }

    async fn read(&self, live: &LiveSessions) -> Result<(), StoreError> {
        // What is read is at least as new as the moment it was asked for.
        let asked = self.elapsed_ms();
        let synced = tokio::time::timeout(READ, self.truth.sync()).await;
        let synced = synced.map_err(|_| StoreError("no answer in time".to_owned()))??;
        self.known_as_of.fetch_max(asked, Ordering::SeqCst);
        for revocation in &synced.added {
            let ended = live.revoke(&revocation.scope);
            if ended > 0 {
                tracing::info!(
                    revocation = %revocation.id,
                    sessions = ended,
                    "live sessions ended by a revocation of another replica"
                );
            }
        }
        Ok(())
    }

    fn age(&self) -> Duration {
        let known = self.known_as_of.load(Ordering::SeqCst);
        Duration::from_millis(self.elapsed_ms().saturating_sub(known))
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Has others look at once; unheard, they do within seconds.
    fn tell(&self) {
        let Some(link) = self.link.clone() else {
            return;
        };
        let revision = self.truth.revision();
        tokio::spawn(async move {
            let _ = RevocationNews::tell(&link, revision).await;
        });
    }
}

#[async_trait]
impl Revocations for FollowedRevocations {
    fn check(&self, question: &Question<'_>) -> Option<Hit> {
        self.kept.check(question)
    }

    fn epoch(&self) -> u64 {
        self.kept.epoch()
    }

    fn is_fresh(&self) -> bool {
        self.age() < self.bound
    }

    async fn add(&self, revocation: &Revocation) -> Result<Revocation, StoreError> {
        let added = self.kept.add(revocation).await?;
        self.tell();
        Ok(added)
    }

    async fn lift(
        &self,
        id: &RevocationId,
        end: &Lifted,
    ) -> Result<Option<Revocation>, StoreError> {
        let lifted = self.kept.lift(id, end).await?;
        self.tell();
        Ok(lifted)
    }

    async fn list(&self, lifted_too: bool, limit: usize) -> Result<Vec<Revocation>, StoreError> {
        self.kept.list(lifted_too, limit).await
    }

    async fn prune(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.kept.prune(before).await
    }
}

/// Half to one and a half of a time: replicas don't all ask at once.
fn about(time: Duration) -> Duration {
    let drawn = RandomState::new().hash_one(0_u8) % 1000;
    time * (500 + u32::try_from(drawn).unwrap_or(500)) / 1000
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, atomic::AtomicBool};

    use hallpass_core::{
        audit::AuditEvent,
        ids::Subject,
        ports::{AuditLog, AuditReceipt, AuditUnavailable, OwnedFuture, Synced},
        revocation::Scope,
    };
    use hallpass_store_memory::MemoryRevocations;
    use hallpass_telemetry::Metrics;

    use super::*;
    use crate::wiring::clock::SystemClock;

    /// A durable store of which others change the truth.
    #[derive(Default)]
    struct Truth {
        elsewhere: Mutex<Vec<Revocation>>,
        away: AtomicBool,
        memory: Arc<MemoryRevocations>,
    }

    #[async_trait]
    impl RevocationFeed for Truth {
        fn revision(&self) -> u64 {
            self.memory.epoch()
        }

        async fn sync(&self) -> Result<Synced, StoreError> {
            if self.away.load(Ordering::SeqCst) {
                return Err(StoreError("away".to_owned()));
            }
            let added = std::mem::take(&mut *self.elsewhere.lock().unwrap());
            for revocation in &added {
                self.memory.add(revocation).await?;
            }
            Ok(Synced {
                revision: self.revision(),
                added,
                ended: Vec::new(),
            })
        }
    }

    #[derive(Default)]
    struct Kept(Mutex<Vec<AuditEvent>>);

    impl AuditLog for Kept {
        fn append(&self, event: AuditEvent) -> OwnedFuture<Result<AuditReceipt, AuditUnavailable>> {
            self.0.lock().unwrap().push(event);
            Box::pin(async { Ok(AuditReceipt { sequence: 0 }) })
        }

        fn writable(&self) -> bool {
            true
        }
    }

    struct World {
        truth: Arc<Truth>,
        ours: Arc<FollowedRevocations>,
        records: Arc<Kept>,
        stop: CancellationToken,
        following: tokio::task::JoinHandle<()>,
    }

    fn world(bound: Duration) -> World {
        let truth = Arc::new(Truth::default());
        let ours = FollowedRevocations::new(truth.memory.clone(), truth.clone(), None, bound);
        let ours = Arc::new(ours);
        let records = Arc::new(Kept::default());
        let told = Told::new(
            Arc::new(Metrics::new("0")),
            records.clone(),
            Arc::new(SystemClock),
        );
        let stop = CancellationToken::new();
        let following = ours
            .clone()
            .follow(Arc::default(), Arc::new(told), stop.clone());
        World {
            truth,
            ours,
            records,
            stop,
            following: tokio::spawn(following),
        }
    }

    async fn until(mut is_so: impl FnMut() -> bool) {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn what_others_revoke_is_heard_of() {
        let world = world(Duration::from_secs(30));
        let revocation = Revocation {
            id: RevocationId::from_random([1; 16]),
            scope: Scope::Subject(Subject::new("user-1").unwrap()),
            reason: None,
            created_at: Timestamp::UNIX_EPOCH,
            created_by: Subject::new("operator").unwrap(),
            lifted: None,
        };
        world.truth.elsewhere.lock().unwrap().push(revocation);
        let before = world.ours.epoch();
        until(|| world.ours.epoch() != before).await;
        world.stop.cancel();
        world.following.await.unwrap();
        assert!(world.records.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_hears_nothing_for_too_long_is_not_gone_by_and_recovers() {
        let world = world(Duration::from_millis(1200));
        assert!(world.ours.is_fresh(), "what was just loaded is known");
        world.truth.away.store(true, Ordering::SeqCst);
        until(|| !world.ours.is_fresh()).await;
        let records = || world.records.0.lock().unwrap().len();
        until(|| records() == 1).await;
        world.truth.away.store(false, Ordering::SeqCst);
        until(|| records() == 2).await;
        world.stop.cancel();
        world.following.await.unwrap();
        let facts = |event: &AuditEvent| event.facts[1].1.clone();
        let states: Vec<_> = world.records.0.lock().unwrap().iter().map(facts).collect();
        assert_eq!(states, ["raised", "ended"]);
    }
}
