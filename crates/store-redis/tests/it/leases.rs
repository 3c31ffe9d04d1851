//! Places outlive a secret's replica, and do not outlive a session's.

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    concurrency::{Lease, Leases},
    ids::{LineageId, Subject},
    ports::Clock,
};
use hallpass_store_redis::{LeasePolicy, RedisLeases};
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENT, clock, link, told_link, until, with_server};

fn lease(lineage: &str, until: i64) -> Lease {
    Lease {
        holder: Subject::new("a").unwrap(),
        lineage: LineageId::new(lineage).unwrap(),
        until: Timestamp::from_second(1_800_000_000 + until).unwrap(),
    }
}

async fn ttl(server: &hallpass_testkit::redis::RedisServer, what: &str) -> i64 {
    let left = server.ask(&format!("PTTL hp1:{{c:a}}:{what}")).await;
    left.trim_start_matches(':').trim().parse().unwrap()
}

#[tokio::test]
async fn a_place_of_a_session_ends_soon_after_its_replica_and_that_of_a_secret_does_not() {
    let (link, server) = with_server().await;
    let clock = clock();
    let now = clock.now();
    for (what, policy) in [
        ("grants", LeasePolicy::UntilItsEnd),
        ("live", LeasePolicy::WhileHeld),
    ] {
        let leases = RedisLeases::new(link.clone(), clock.clone(), what, policy);
        leases
            .take(&lease("l1", 3600), 1, now)
            .await
            .unwrap()
            .unwrap();
    }
    let (grants, live) = (ttl(&server, "grants").await, ttl(&server, "live").await);
    assert!((3_500_000..=3_600_000).contains(&grants), "{grants}");
    assert!((20_000..=30_000).contains(&live), "{live}");
}

#[tokio::test]
async fn what_is_held_comes_back_when_redis_lost_it() {
    let (_, mut server) = with_server().await;
    let (link, told) = told_link(&server.url(), PATIENT);
    link.connect().await;
    let clock = clock();
    let leases = RedisLeases::new(link.clone(), clock.clone(), "live", LeasePolicy::WhileHeld);
    let leases = Arc::new(leases);
    let (held, over) = (lease("l1", 3600), lease("l2", 3600));
    for lease in [&held, &over] {
        leases.take(lease, 2, clock.now()).await.unwrap().unwrap();
    }
    leases.release(&over.holder, &over.lineage);
    let stop = CancellationToken::new();
    let kept = tokio::spawn(link.clone().keep(stop.clone().cancelled_owned()));
    let beating = tokio::spawn(leases.clone().beat(stop.clone().cancelled_owned()));
    server.restart().await;
    until("Redis is back", async || {
        told.all().last().is_some_and(|last| last == "regained")
    })
    .await;
    until("the place is there again", async || {
        server.ask("ZRANGE hp1:{c:a}:live 0 -1").await == "*1\r\n$2\r\nl1\r\n"
    })
    .await;
    stop.cancel();
    kept.await.unwrap();
    beating.await.unwrap();
    let other = crate::support::link(&server.url()).await;
    let other = RedisLeases::new(other, clock.clone(), "live", LeasePolicy::WhileHeld);
    let next = other.take(&lease("l3", 60), 1, clock.now()).await.unwrap();
    assert!(next.is_err(), "and counts for every replica");
    drop(link);
}

#[tokio::test]
async fn odd_subjects_have_places_of_their_own() {
    let (_, server) = with_server().await;
    let link = link(&server.url()).await;
    let clock = clock();
    let leases = RedisLeases::new(link, clock.clone(), "live", LeasePolicy::WhileHeld);
    for subject in ["a}:b", "a", "{a}", "ü", "a b"] {
        let mut one = lease("l1", 60);
        one.holder = Subject::new(subject).unwrap();
        let taken = leases.take(&one, 1, clock.now()).await.unwrap();
        assert_eq!(taken, Ok(()), "{subject}");
    }
}
