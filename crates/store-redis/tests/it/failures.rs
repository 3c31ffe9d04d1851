//! What becomes of limits while Redis is cut off, stalled, killed, paused,
//! full, read-only or emptied.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use hallpass_core::{
    Timestamp,
    concurrency::{Lease, Leases},
    ids::{LineageId, Subject},
    ports::{Clock, Quotas, TakeError},
    quota::{Charge, Rate},
};
use hallpass_store_memory::{MemoryLeases, MemoryQuotas};
use hallpass_store_redis::{
    LeasePolicy, Link, LinkTimes, RedisLeases, RedisQuotas, ShareLeases, ShareQuotas,
};
use hallpass_testkit::{
    chaos::{Chaos, ChaosProxy},
    redis::RedisServer,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Told, clock, told_link, until};

const REPLICAS: u32 = 3;
/// Short, since each failure that is silent has to be waited for.
const TIMES: LinkTimes = LinkTimes {
    command: Duration::from_secs(1),
    connect: Duration::from_secs(1),
};

/// A replica as the server makes it.
struct Replica {
    link: Arc<Link>,
    told: Arc<Told>,
    quotas: ShareQuotas,
    stop: CancellationToken,
    keeping: JoinHandle<()>,
}

impl Replica {
    async fn start(url: &str) -> Self {
        let (link, told) = told_link(url, TIMES);
        link.connect().await;
        let stop = CancellationToken::new();
        let keeping = tokio::spawn(link.clone().keep(stop.clone().cancelled_owned()));
        let alone = Arc::new(MemoryQuotas::default());
        let quotas = ShareQuotas::new(RedisQuotas::new(link.clone()), alone, REPLICAS);
        Self {
            link,
            told,
            quotas,
            stop,
            keeping,
        }
    }

    /// How many of so many requests are let through.
    async fn granted(&self, requests: usize, charges: &[Charge]) -> usize {
        let mut granted = 0;
        for _ in 0..requests {
            match self.quotas.take(charges).await {
                Ok(_) => granted += 1,
                Err(TakeError::Exceeded(_)) => {}
                Err(TakeError::Store(error)) => panic!("it must never be this: {error}"),
            }
        }
        granted
    }

    async fn until_lost(&self) {
        until("Redis is lost", async || {
            self.granted(1, &[charge("probe", 1_000_000)]).await;
            !self.link.is_up()
        })
        .await;
    }

    async fn until_regained(&self) {
        until("Redis is back", async || self.link.is_up()).await;
    }

    async fn end(self) -> Vec<String> {
        self.stop.cancel();
        self.keeping.await.unwrap();
        self.told.all()
    }
}

fn charge(key: &str, count: u32) -> Charge {
    Charge {
        name: "caller-day",
        key: format!("caller-day:{key}"),
        rate: Rate::per_day(count),
    }
}

/// Three replicas and a server, broken and mended.
async fn holds(
    way: &str,
    settings: &[&str],
    breaks: impl AsyncFn(&mut RedisServer, &ChaosProxy),
    mends: impl AsyncFn(&mut RedisServer, &ChaosProxy),
) {
    let mut server = RedisServer::start_with(settings).await;
    let proxy = ChaosProxy::start(server.address()).await;
    let url = format!("redis://{}", proxy.address());
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(Replica::start(&url).await);
    }
    let charges = [charge("a", 9)];
    let mut together = 0;
    for replica in &replicas {
        together += replica.granted(5, &charges).await;
    }
    assert_eq!(together, 9, "{way}: in health the limit is that of all");

    breaks(&mut server, &proxy).await;
    join_all(replicas.iter().map(Replica::until_lost)).await;
    let (used, unused) = ([charge("a", 9)], [charge("b", 9)]);
    let (mut again, mut fresh) = (0, 0);
    for replica in &replicas {
        again += replica.granted(20, &used).await;
        fresh += replica.granted(20, &unused).await;
    }
    assert_eq!(fresh, 9, "{way}: the shares are no more than the limit");
    assert!(again <= 9, "{way}: one limit more at most, not {again}");
    let narrow = [charge("c", 1)];
    let first = replicas[0].granted(20, &narrow).await;
    assert_eq!(first, 1, "{way}: a share is at least one");

    mends(&mut server, &proxy).await;
    join_all(replicas.iter().map(Replica::until_regained)).await;
    let after = [charge("d", 9)];
    let mut together = 0;
    for replica in &replicas {
        together += replica.granted(5, &after).await;
    }
    assert_eq!(together, 9, "{way}: and then that of all again");
    for replica in replicas {
        let told = replica.end().await;
        let lost = told.iter().filter(|line| line.starts_with("lost")).count();
        let regained = told.len() - lost;
        assert!(lost >= 1, "{way}: {told:?}");
        assert_eq!(lost, regained, "{way}: both are told: {told:?}");
    }
}

#[tokio::test]
async fn redis_killed() {
    holds(
        "killed",
        &[],
        async |server, _| server.kill(),
        async |server, _| server.restart().await,
    )
    .await;
}

#[tokio::test]
async fn redis_paused() {
    holds(
        "paused",
        &[],
        async |server, _| server.pause(),
        async |server, _| server.resume(),
    )
    .await;
}

#[tokio::test]
async fn the_way_stalled() {
    holds(
        "stalled",
        &[],
        async |_, proxy| proxy.stall(true),
        async |_, proxy| proxy.stall(false),
    )
    .await;
}

#[tokio::test]
async fn the_way_reset() {
    holds(
        "reset",
        &[],
        async |_, proxy| proxy.set(Chaos::ResetAtOnce),
        async |_, proxy| proxy.set(Chaos::None),
    )
    .await;
}

#[tokio::test]
async fn the_way_silent() {
    holds(
        "silent",
        &[],
        async |_, proxy| proxy.set(Chaos::Silence),
        async |_, proxy| proxy.set(Chaos::None),
    )
    .await;
}

#[tokio::test]
async fn redis_full() {
    holds(
        "full",
        &[],
        async |server, _| drop(server.ask("CONFIG SET maxmemory 1").await),
        async |server, _| drop(server.ask("CONFIG SET maxmemory 0").await),
    )
    .await;
}

#[tokio::test]
async fn redis_read_only() {
    holds(
        "read-only",
        &[],
        async |server, _| drop(server.ask("REPLICAOF 127.0.0.1 1").await),
        async |server, _| drop(server.ask("REPLICAOF NO ONE").await),
    )
    .await;
}

#[tokio::test]
async fn redis_emptied_counts_anew_and_says_so() {
    let server = RedisServer::start().await;
    let replica = Replica::start(&server.url()).await;
    let charges = [charge("a", 9)];
    assert_eq!(replica.granted(20, &charges).await, 9);
    server.empty().await;
    assert_eq!(replica.granted(20, &charges).await, 9, "one limit more");
    assert_eq!(replica.granted(20, &charges).await, 0);
    until("it is noticed", async || replica.told.all() == ["emptied"]).await;
    replica.end().await;
}

#[tokio::test]
async fn while_redis_is_away_nobody_waits_for_it() {
    let server = RedisServer::start().await;
    let replica = Replica::start(&server.url()).await;
    server.pause();
    replica.until_lost().await;
    let started = std::time::Instant::now();
    replica.granted(200, &[charge("a", 1000)]).await;
    assert!(
        started.elapsed() < TIMES.command * 20,
        "two hundred requests don't each wait to find out"
    );
    server.resume();
    replica.until_regained().await;
    replica.end().await;
}

#[tokio::test]
async fn places_fall_back_to_a_share_and_are_told_when_redis_is_back() {
    let mut server = RedisServer::start().await;
    let (link, _) = told_link(&server.url(), TIMES);
    link.connect().await;
    let stop = CancellationToken::new();
    let clock = clock();
    let together = RedisLeases::new(link.clone(), clock.clone(), "live", LeasePolicy::WhileHeld);
    let together = Arc::new(together);
    let tasks = [
        tokio::spawn(link.clone().keep(stop.clone().cancelled_owned())),
        tokio::spawn(together.clone().beat(stop.clone().cancelled_owned())),
    ];
    let leases = ShareLeases::new(together, Arc::new(MemoryLeases::default()), REPLICAS);
    let take = async |lineage: &str, limit: u32| {
        let lease = Lease {
            holder: Subject::new("a").unwrap(),
            lineage: LineageId::new(lineage).unwrap(),
            until: Timestamp::from_second(1_800_003_600).unwrap(),
        };
        leases
            .take(&lease, limit, clock.now())
            .await
            .unwrap()
            .is_ok()
    };
    server.kill();
    assert!(take("l1", 6).await && take("l2", 6).await);
    assert!(!take("l3", 6).await, "a third of six is two");
    server.restart().await;
    until("what was taken alone counts for all", async || {
        server.ask("ZCARD hp1:{c:a}:live").await == ":2\r\n"
    })
    .await;
    stop.cancel();
    for task in tasks {
        task.await.unwrap();
    }
}
