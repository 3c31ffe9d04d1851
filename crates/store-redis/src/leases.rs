//! Places callers hold, which all replicas count together.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::future::join_all;
use hallpass_core::{
    Timestamp,
    concurrency::{Lease, Leases},
    ids::{LineageId, Subject},
    ports::{Clock, StoreError},
};
use tokio::time::sleep;

use crate::{
    jitter,
    link::Link,
    names::Tag,
    script::{Call, Script, script},
};

static TAKE: Script = script!("lease_take.lua");
static SET: Script = script!("lease_set.lua");

/// How often a replica says what it holds.
const BEAT: Duration = Duration::from_secs(10);
/// How long a place lasts that nobody speaks of any more.
const HELD: Duration = Duration::from_secs(30);
/// Callers spoken of at once.
const BATCH: usize = 64;

/// What frees a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeasePolicy {
    /// Its end, whether the replica that took it lives or not: a client secret
    /// is good until then.
    UntilItsEnd,
    /// Its end, or half a minute after the death of the replica that took it:
    /// a live session dies with whoever carries it.
    WhileHeld,
}

/// Places in Redis, by caller and end.
///
/// Ends are told as durations, so that replicas need not agree on the time.
pub struct RedisLeases {
    link: Arc<Link>,
    clock: Arc<dyn Clock>,
    what: &'static str,
    policy: LeasePolicy,
    by_given_time: bool,
    held: Mutex<Held>,
}

/// What this process has to speak of.
type Held = HashMap<Subject, HashMap<LineageId, Timestamp>>;

impl RedisLeases {
    /// Keeps places behind a link; `what` names the kind.
    #[must_use]
    pub fn new(
        link: Arc<Link>,
        clock: Arc<dyn Clock>,
        what: &'static str,
        policy: LeasePolicy,
    ) -> Self {
        Self {
            link,
            clock,
            what,
            policy,
            by_given_time: false,
            held: Mutex::default(),
        }
    }

    /// Goes by the time it is given instead of the server's; for tests, and
    /// where all callers share a clock.
    #[must_use]
    pub fn by_given_time(mut self) -> Self {
        self.by_given_time = true;
        self
    }

    /// Speaks of what is held until told to stop: when Redis comes back, which
    /// may have forgotten it, and where it has to every few seconds.
    pub async fn beat(self: Arc<Self>, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut regained = self.link.regained();
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = regained.next() => self.say_what_is_held().await,
                () = sleep(jitter::about(BEAT)) => match self.policy {
                    LeasePolicy::WhileHeld => self.say_what_is_held().await,
                    LeasePolicy::UntilItsEnd => self.forget_what_is_over(),
                },
            }
        }
    }

    /// Holds a place that was given without Redis, so that it is told of when
    /// Redis is back.
    pub fn adopt(&self, lease: &Lease) {
        let mut held = self.held();
        let of = held.entry(lease.holder.clone()).or_default();
        of.insert(lease.lineage.clone(), lease.until);
    }

    async fn say_what_is_held(&self) {
        self.forget_what_is_over();
        let now = self.clock.now();
        let calls: Vec<Call> = {
            let held = self.held();
            held.iter().map(|held| self.telling(held, now)).collect()
        };
        for batch in calls.chunks(BATCH) {
            let told = batch.iter().map(|call| self.link.run::<i64>(&SET, call));
            if join_all(told).await.iter().any(Result::is_err) {
                return;
            }
        }
    }

    fn forget_what_is_over(&self) {
        let now = self.clock.now();
        let mut held = self.held();
        for places in held.values_mut() {
            places.retain(|_, until| *until > now);
        }
        held.retain(|_, places| !places.is_empty());
    }

    fn telling(
        &self,
        (holder, places): (&Subject, &HashMap<LineageId, Timestamp>),
        now: Timestamp,
    ) -> Call {
        let call = Call::on([self.name(holder)])
            .with(self.time(now))
            .with("any");
        places.iter().fold(call, |call, (lineage, until)| {
            call.with(lineage).with(self.life(*until, now))
        })
    }

    fn name(&self, holder: &Subject) -> String {
        Tag::caller(holder.as_str()).name(self.what)
    }

    fn time(&self, now: Timestamp) -> String {
        match self.by_given_time {
            true => now.as_millisecond().to_string(),
            false => String::new(),
        }
    }

    /// Milliseconds a place lasts unless more is heard of it.
    fn life(&self, until: Timestamp, now: Timestamp) -> i64 {
        let life = until.as_millisecond().saturating_sub(now.as_millisecond());
        match self.policy {
            LeasePolicy::UntilItsEnd => life,
            LeasePolicy::WhileHeld => life.min(i64::try_from(HELD.as_millis()).unwrap_or(i64::MAX)),
        }
    }

    /// Tells Redis without anyone waiting for it; unheard, the place is free
    /// when it would have been.
    fn tell(&self, call: Call) {
        let link = self.link.clone();
        tokio::spawn(async move {
            let _ = link.run::<i64>(&SET, &call).await;
        });
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Leases for RedisLeases {
    async fn take(
        &self,
        lease: &Lease,
        limit: u32,
        now: Timestamp,
    ) -> Result<Result<(), Timestamp>, StoreError> {
        let call = Call::on([self.name(&lease.holder)])
            .with(self.time(now))
            .with(&lease.lineage)
            .with(self.life(lease.until, now))
            .with(limit);
        let wait: i64 = self.link.run(&TAKE, &call).await?;
        let Ok(wait) = u64::try_from(wait) else {
            self.adopt(lease);
            return Ok(Ok(()));
        };
        let frees_at = now.saturating_add(Duration::from_millis(wait));
        Ok(Err(frees_at.unwrap_or(Timestamp::MAX)))
    }

    fn settle(&self, lease: &Lease) {
        let now = self.clock.now();
        if let Some(places) = self.held().get_mut(&lease.holder)
            && let Some(until) = places.get_mut(&lease.lineage)
        {
            *until = lease.until;
        }
        let call = Call::on([self.name(&lease.holder)])
            .with(self.time(now))
            .with("held")
            .with(&lease.lineage)
            .with(self.life(lease.until, now));
        self.tell(call);
    }

    fn release(&self, holder: &Subject, lineage: &LineageId) {
        {
            let mut held = self.held();
            if let Some(places) = held.get_mut(holder) {
                places.remove(lineage);
                if places.is_empty() {
                    held.remove(holder);
                }
            }
        }
        let call = Call::on([self.name(holder)])
            .with(self.time(self.clock.now()))
            .with("held")
            .with(lineage)
            .with(0);
        self.tell(call);
    }
}
