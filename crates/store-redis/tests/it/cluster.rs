//! A cluster: every script's keys lie on one server.

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    concurrency::{Lease, Leases},
    ids::{LineageId, Subject},
    ports::{Clock, Quotas, TakeError},
    quota::{Charge, Rate},
};
use hallpass_store_redis::{LeasePolicy, RedisLeases, RedisQuotas};
use hallpass_testkit::redis::RedisCluster;

use crate::support::{clock, link};

fn charge(name: &'static str, whose: &str, count: u32) -> Charge {
    Charge {
        name,
        key: format!("{name}:{whose}"),
        rate: Rate::per_day(count),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_three_servers_are_taken_all_or_none() {
    let cluster = RedisCluster::start().await;
    let quotas = Arc::new(RedisQuotas::new(link(&cluster.url()).await));
    let global = || charge("global-minute", "", 12);
    let profile = || charge("profile-minute", "interview", 1000);
    let mut granted = 0;
    for number in 0..40 {
        let subject = format!("user-{}", number % 5);
        let caller = charge("caller-minute", &subject, 4);
        match quotas.take(&[caller, profile(), global()]).await {
            Ok(states) => {
                let names: Vec<_> = states.iter().map(|state| state.name).collect();
                assert_eq!(names, ["caller-minute", "profile-minute", "global-minute"]);
                granted += 1;
            }
            Err(TakeError::Exceeded(_)) => {}
            Err(TakeError::Store(error)) => panic!("{error}"),
        }
    }
    assert_eq!(granted, 12, "the global limit");
    let left = quotas.take(&[profile()]).await.unwrap();
    assert_eq!(
        left[0].remaining,
        1000 - 13,
        "what was refused was given back"
    );
    for subject in 0..5 {
        let caller = charge("caller-minute", &format!("user-{subject}"), 4);
        let left = quotas.take(&[caller]).await.unwrap()[0].remaining;
        let granted = (12 - subject as u32).div_ceil(5);
        assert_eq!(left, 4 - granted - 1, "user-{subject}");
    }
}

#[tokio::test]
async fn places_and_passes_of_many_callers_are_kept() {
    let cluster = RedisCluster::start().await;
    let clock = clock();
    let leases = RedisLeases::new(
        link(&cluster.url()).await,
        clock.clone(),
        "live",
        LeasePolicy::WhileHeld,
    );
    for number in 0..20 {
        let lease = |lineage: &str| Lease {
            holder: Subject::new(format!("user-{number}")).unwrap(),
            lineage: LineageId::new(lineage).unwrap(),
            until: Timestamp::from_second(1_800_000_060).unwrap(),
        };
        let first = leases.take(&lease("l1"), 1, clock.now()).await.unwrap();
        let second = leases.take(&lease("l2"), 1, clock.now()).await.unwrap();
        assert!(first.is_ok() && second.is_err());
    }
}
