//! Revocations whose truth other replicas change: followed, and not gone by
//! once they were not heard of for too long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    ids::RevocationId,
    live::{LiveSessions, NoPeers, Peers},
    ports::{RevocationFeed, Revocations, StoreError},
    revocation::{Hit, Lifted, Question, Revocation},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{feed::RevocationNews, jitter::about, link::Link};

/// How often the stream is looked at.
const LISTEN: Duration = Duration::from_millis(150);
/// How often the truth is read though nobody spoke of a change.
const RECONCILE: Duration = Duration::from_secs(2);
/// How soon it is read again where that failed.
const AGAIN: Duration = Duration::from_millis(500);
/// How long reading may take.
const READ: Duration = Duration::from_secs(3);

/// Is told how well revocations are known.
///
/// It is called between two looks, so it must not wait.
pub trait FreshnessObserver: Send + Sync {
    /// They were read where they are true.
    fn read(&self);
    /// They can't be read; it is tried again.
    fn failed(&self, error: &StoreError);
    /// One that another replica made ended some live sessions here.
    fn ended(&self, revocation: &Revocation, sessions: u64);
    /// How old what is known is.
    fn knows(&self, age: Duration, fresh: bool);
    /// From now on they are known well enough, or not any more.
    fn turned(&self, fresh: bool, age: Duration);
}

/// Revocations as the durable store keeps them, told to and heard from others.
pub struct FollowedRevocations {
    kept: Arc<dyn Revocations>,
    truth: Arc<dyn RevocationFeed>,
    link: Option<Arc<Link>>,
    bound: Duration,
    started: Instant,
    /// What is known is from then, in milliseconds since the start.
    known_as_of: AtomicU64,
    /// Somebody was told since the last look that too little is known.
    was_stale: AtomicBool,
    /// Who is told what became of a revocation here.
    peers: Arc<dyn Peers>,
}

impl FollowedRevocations {
    /// Follows what was just loaded; who knows nothing newer than the bound is
    /// not gone by. Without a link the truth is read every few seconds only.
    #[must_use]
    pub fn new(
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
            was_stale: AtomicBool::new(false),
            peers: Arc::new(NoPeers),
        }
    }

    /// Says to these what became of each revocation that it hears of.
    #[must_use]
    pub fn telling(self, peers: Arc<dyn Peers>) -> Self {
        Self { peers, ..self }
    }

    /// Follows until told to stop, and ends the live sessions that what it
    /// hears of reaches; others are told how many.
    pub async fn follow(
        self: Arc<Self>,
        live: Arc<LiveSessions>,
        told: Arc<dyn FreshnessObserver>,
        stop: impl Future<Output = ()>,
    ) {
        tokio::select! {
            () = stop => {}
            () = self.reads(&live, &*told) => {}
            () = self.tells(&*told) => {}
        }
    }

    /// Reads the truth when someone speaks of a change, and now and then.
    async fn reads(&self, live: &LiveSessions, told: &dyn FreshnessObserver) {
        let mut news = self.link.clone().map(RevocationNews::new);
        let mut due = Instant::now();
        loop {
            sleep(about(LISTEN)).await;
            if !self.is_behind(news.as_mut()).await && Instant::now() < due {
                continue;
            }
            // From when it is asked: what was long in coming is old already.
            let asked = Instant::now();
            let wait = match self.read(live, told).await {
                Ok(()) => {
                    told.read();
                    self.reconcile()
                }
                Err(error) => {
                    told.failed(&error);
                    AGAIN
                }
            };
            due = asked + about(wait);
        }
    }

    /// Tells when too little is known and when enough is again, apart from
    /// reading, which may hang. A moment at which somebody was refused is told
    /// even when it is over.
    async fn tells(&self, told: &dyn FreshnessObserver) {
        let mut was_fresh = true;
        loop {
            sleep(LISTEN).await;
            let (age, fresh) = (self.age(), self.is_fresh());
            told.knows(age, fresh);
            if self.was_stale.swap(false, Ordering::SeqCst) && was_fresh {
                told.turned(false, age);
                was_fresh = false;
            }
            if fresh && !was_fresh {
                told.turned(true, age);
                was_fresh = true;
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

    async fn read(
        &self,
        live: &LiveSessions,
        told: &dyn FreshnessObserver,
    ) -> Result<(), StoreError> {
        // What is read is at least as new as the moment it was asked for.
        let asked = self.elapsed_ms();
        let synced = timeout(READ, self.truth.sync()).await;
        let synced = synced.map_err(|_| StoreError("no answer in time".to_owned()))??;
        self.known_as_of.fetch_max(asked, Ordering::SeqCst);
        for revocation in &synced.added {
            let ended = live.revoke(&revocation.scope);
            self.peers.reached(&revocation.id, ended).await;
            if ended > 0 {
                told.ended(revocation, ended);
            }
        }
        Ok(())
    }

    /// When the truth is read next though nobody speaks: well within the bound,
    /// or a replica that is well would know too little now and then.
    fn reconcile(&self) -> Duration {
        RECONCILE.min(self.bound / 3)
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
        let fresh = self.age() < self.bound;
        if !fresh {
            self.was_stale.store(true, Ordering::SeqCst);
        }
        fresh
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hallpass_core::{ids::Subject, ports::Synced, revocation::Scope};
    use hallpass_store_memory::MemoryRevocations;

    use super::*;

    /// A durable store of which others change the truth.
    #[derive(Default)]
    struct Truth {
        elsewhere: Mutex<Vec<Revocation>>,
        away: AtomicBool,
        hangs: AtomicBool,
        memory: Arc<MemoryRevocations>,
    }

    #[async_trait]
    impl RevocationFeed for Truth {
        fn revision(&self) -> u64 {
            self.memory.epoch()
        }

        async fn sync(&self) -> Result<Synced, StoreError> {
            while self.hangs.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
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

    /// Keeps which way it turned.
    #[derive(Default)]
    struct Turns(Mutex<Vec<bool>>);

    impl FreshnessObserver for Turns {
        fn read(&self) {}

        fn failed(&self, _: &StoreError) {}

        fn ended(&self, _: &Revocation, _: u64) {}

        fn knows(&self, _: Duration, _: bool) {}

        fn turned(&self, fresh: bool, _: Duration) {
            self.0.lock().unwrap().push(fresh);
        }
    }

    struct World {
        truth: Arc<Truth>,
        ours: Arc<FollowedRevocations>,
        turns: Arc<Turns>,
    }

    fn world(bound: Duration) -> World {
        let truth = Arc::new(Truth::default());
        let ours = FollowedRevocations::new(truth.memory.clone(), truth.clone(), None, bound);
        let (ours, turns) = (Arc::new(ours), Arc::new(Turns::default()));
        let never = std::future::pending();
        tokio::spawn(ours.clone().follow(Arc::default(), turns.clone(), never));
        World { truth, ours, turns }
    }

    #[tokio::test(start_paused = true)]
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
        sleep(RECONCILE * 2).await;
        assert_ne!(world.ours.epoch(), before);
        assert!(world.turns.0.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_well_is_gone_by_all_the_time_however_small_the_bound() {
        let world = world(Duration::from_secs(1));
        for _ in 0..1000 {
            sleep(Duration::from_millis(17)).await;
            assert!(world.ours.is_fresh());
        }
        assert!(world.turns.0.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_hears_nothing_for_too_long_is_not_gone_by_and_recovers() {
        let bound = Duration::from_secs(10);
        let world = world(bound);
        assert!(world.ours.is_fresh(), "what was just loaded is known");
        sleep(bound * 2).await;
        assert!(
            world.ours.is_fresh(),
            "what is read again and again is known"
        );
        world.truth.away.store(true, Ordering::SeqCst);
        sleep(bound - RECONCILE * 2).await;
        assert!(world.ours.is_fresh(), "within the bound");
        sleep(RECONCILE * 3).await;
        assert!(!world.ours.is_fresh());
        world.truth.away.store(false, Ordering::SeqCst);
        sleep(RECONCILE).await;
        assert!(world.ours.is_fresh());
        assert_eq!(*world.turns.0.lock().unwrap(), [false, true]);
    }

    /// The read goes on in the end, within its bound: nothing failed, and all
    /// the same somebody was refused.
    #[tokio::test(start_paused = true)]
    async fn a_read_that_hangs_is_told_of_while_it_hangs() {
        let bound = Duration::from_secs(2);
        let world = world(bound);
        world.truth.hangs.store(true, Ordering::SeqCst);
        sleep(bound + LISTEN * 2).await;
        assert_eq!(*world.turns.0.lock().unwrap(), [false]);
        world.truth.hangs.store(false, Ordering::SeqCst);
        sleep(LISTEN * 4).await;
        assert_eq!(*world.turns.0.lock().unwrap(), [false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_moment_of_knowing_too_little_is_told_even_when_it_is_over() {
        let world = world(Duration::from_secs(2));
        world.truth.hangs.store(true, Ordering::SeqCst);
        while world.ours.is_fresh() {
            sleep(Duration::from_millis(1)).await;
        }
        world.truth.hangs.store(false, Ordering::SeqCst);
        sleep(LISTEN * 4).await;
        assert!(world.ours.is_fresh());
        assert_eq!(*world.turns.0.lock().unwrap(), [false, true]);
    }
}
