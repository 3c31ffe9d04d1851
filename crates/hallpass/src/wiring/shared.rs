//! What replicas share: counted in Redis, or by this process alone.

mod told;

use std::{sync::Arc, time::Duration};

use hallpass_config::{Config, section};
use hallpass_core::{
    concurrency::{Lease, Leases},
    live::{LiveSessions, NoPeers, Peers},
    pass::Passes,
    ports::{AuditLog, Clock, Ids, Quotas, Revocations},
};
use hallpass_store_memory::{MemoryLeases, MemoryQuotas};
use hallpass_store_redis::{
    Address, FollowedRevocations, LeasePolicy, Link, LinkTimes, RedisLeases, RedisPasses,
    RedisPeers, RedisQuotas, Replica, ShareLeases, ShareQuotas,
};
use hallpass_telemetry::Metrics;

use super::{clock::SystemIds, durable::Durable, lifecycle::Tasks};
use crate::cli::Stop;

pub(crate) use told::Told;

/// How long a start waits for Redis before it goes on without.
const CONNECT: Duration = Duration::from_secs(2);

/// The volatile stores, and the other replicas.
pub(crate) struct Shared {
    /// Counts mints.
    pub(crate) quotas: Arc<dyn Quotas>,
    /// Counts the grants callers hold.
    pub(crate) grants: Arc<dyn Leases>,
    /// Counts the live sessions of callers.
    pub(crate) sessions: Arc<dyn Leases>,
    /// Keeps passes; none where the durable store does.
    pub(crate) passes: Option<Arc<dyn Passes>>,
    /// The sessions of this process.
    pub(crate) live: Arc<LiveSessions>,
    /// Those of the others.
    pub(crate) peers: Arc<dyn Peers>,
    link: Option<Arc<Link>>,
}

impl Shared {
    /// Opens what the configuration names; `held` are the places known from
    /// before.
    pub(crate) async fn open(
        config: &Config,
        held: Vec<Lease>,
        told: Arc<Told>,
        tasks: &Tasks,
    ) -> Result<Self, Stop> {
        if config.store.shared.is_embedded() {
            return Ok(Self::alone(held));
        }
        let address = Address::parse(config.store.shared.expose())
            .map_err(|error| Stop::usage(format!("store.shared is no Redis: {error}.")))?;
        let replica = replica();
        let link = Link::new(
            address,
            times(&config.store),
            replica.as_str(),
            told.clone(),
        );
        let link = Arc::new(link);
        // Without it everything goes by its failure policy; the server starts.
        link.connect().await;
        let kept = link.clone();
        tasks.spawn("redis", |stop| async move {
            kept.keep(stop.cancelled()).await;
        });
        Ok(Self::of_replicas(
            config,
            &link,
            replica,
            held,
            told.clock(),
            tasks,
        ))
    }

    /// The revocations to go by: followed where other replicas change them.
    pub(crate) fn follow(
        &self,
        config: &Config,
        durable: &Durable,
        told: &Arc<Told>,
        tasks: &Tasks,
    ) -> Arc<dyn Revocations> {
        let kept = durable.revocations.clone();
        let Some(fleet) = &durable.fleet else {
            return kept;
        };
        let bound = Duration::from_secs(config.store.revocations_stale_seconds);
        let (truth, link) = (fleet.feed.clone(), self.link.clone());
        let followed = FollowedRevocations::new(kept, truth, link, bound);
        let followed = Arc::new(followed.telling(self.peers.clone()));
        let (following, live, told) = (followed.clone(), self.live.clone(), told.clone());
        tasks.spawn(told::TASK, |stop| async move {
            following.follow(live, told, stop.cancelled()).await;
        });
        followed
    }

    fn alone(held: Vec<Lease>) -> Self {
        Self {
            quotas: Arc::new(MemoryQuotas::default()),
            grants: Arc::new(MemoryLeases::with(held)),
            // Sessions end with the process that carries them, and so do these.
            sessions: Arc::new(MemoryLeases::default()),
            passes: None,
            live: Arc::default(),
            peers: Arc::new(NoPeers),
            link: None,
        }
    }

    fn of_replicas(
        config: &Config,
        link: &Arc<Link>,
        replica: Replica,
        held: Vec<Lease>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Self {
        let replicas = config.store.replicas;
        let places = |what, policy| {
            let places = RedisLeases::new(link.clone(), clock.clone(), what, policy);
            let places = Arc::new(places);
            let beating = places.clone();
            tasks.spawn("redis-places", |stop| async move {
                beating.beat(stop.cancelled()).await;
            });
            places
        };
        let grants = places("grants", LeasePolicy::UntilItsEnd);
        for lease in &held {
            grants.adopt(lease);
        }
        let sessions = places("live", LeasePolicy::WhileHeld);
        let live = Arc::<LiveSessions>::default();
        let peers = RedisPeers::new(link.clone(), replica, live.clone());
        let (announced, listening) = (peers.clone(), peers.clone());
        tasks.spawn("redis-sessions", |stop| async move {
            announced.announce(stop.cancelled()).await;
        });
        tasks.spawn("redis-orders", |stop| async move {
            listening.listen(stop.cancelled()).await;
        });
        let together = RedisQuotas::new(link.clone());
        let alone = Arc::new(MemoryQuotas::default());
        let grants_alone = Arc::new(MemoryLeases::with(held));
        let sessions_alone = Arc::new(MemoryLeases::default());
        Self {
            quotas: Arc::new(ShareQuotas::new(together, alone, replicas)),
            grants: Arc::new(ShareLeases::new(grants, grants_alone, replicas)),
            sessions: Arc::new(ShareLeases::new(sessions, sessions_alone, replicas)),
            passes: Some(Arc::new(RedisPasses::new(link.clone(), clock))),
            live,
            peers,
            link: Some(link.clone()),
        }
    }
}

fn times(store: &section::Store) -> LinkTimes {
    LinkTimes {
        command: Duration::from_millis(store.shared_timeout_ms),
        connect: CONNECT,
    }
}

/// A name for this process; another at the next start, whose sessions are others.
fn replica() -> Replica {
    let mut bits = [0; 8];
    SystemIds.fill(&mut bits);
    Replica::from_random(bits)
}

/// Who is told what becomes of the shared store.
pub(crate) fn told(
    metrics: &Arc<Metrics>,
    audit: Arc<dyn AuditLog>,
    clock: &Arc<dyn Clock>,
) -> Arc<Told> {
    Arc::new(Told::new(metrics.clone(), audit, clock.clone()))
}
