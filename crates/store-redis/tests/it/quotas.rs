//! Limits by the server's own time.

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    ports::{Quotas, TakeError},
    quota::{Charge, Exceeded, Rate},
};
use hallpass_store_redis::RedisQuotas;

use crate::support::with_server;

fn charge(key: &str, count: u32, seconds: u32) -> Charge {
    Charge {
        name: "caller-hour",
        key: format!("caller-hour:{key}"),
        rate: Rate { count, seconds },
    }
}

async fn refused(quotas: &RedisQuotas, charges: &[Charge]) -> Exceeded {
    match quotas.take(charges).await {
        Err(TakeError::Exceeded(exceeded)) => exceeded,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn who_waits_as_told_is_let_through_and_the_key_goes_by_itself() {
    let (link, server) = with_server().await;
    let quotas = RedisQuotas::new(link);
    let charges = [charge("a", 1, 1)];
    quotas.take(&charges).await.unwrap();
    if let Err(TakeError::Exceeded(exceeded)) = quotas.take(&charges).await {
        assert!(exceeded.wait <= Duration::from_secs(1));
        tokio::time::sleep(exceeded.wait).await;
        quotas.take(&charges).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(
        server.ask("DBSIZE").await,
        ":1\r\n",
        "the link's probe alone"
    );
}

#[tokio::test]
async fn an_hours_limit_lasts_an_hour_and_replicas_share_it() {
    let (link, server) = with_server().await;
    let other = crate::support::link(&server.url()).await;
    let (here, there) = (RedisQuotas::new(link), RedisQuotas::new(other));
    let charges = [charge("a", 2, 3600)];
    here.take(&charges).await.unwrap();
    there.take(&charges).await.unwrap();
    for quotas in [&here, &there] {
        let wait = refused(quotas, &charges).await.wait;
        let hour = Duration::from_secs(3600);
        assert!(wait > hour / 4 && wait <= hour / 2, "{wait:?}");
    }
    let left = server.ask("PTTL hp1:{c:a}:q:caller-hour").await;
    let left: i64 = left.trim_start_matches(':').trim().parse().unwrap();
    assert!((3_000_000..=3_600_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_script_that_was_forgotten_is_told_again() {
    let (link, server) = with_server().await;
    let quotas = RedisQuotas::new(link.clone());
    let charges = [charge("a", 2, 3600)];
    quotas.take(&charges).await.unwrap();
    server.ask("SCRIPT FLUSH").await;
    quotas.take(&charges).await.unwrap();
    refused(&quotas, &charges).await;
    assert!(link.is_up());
}

#[tokio::test]
async fn a_clock_set_back_locks_nobody_out_for_longer_than_a_full_limit() {
    let (link, _server) = with_server().await;
    let ahead = RedisQuotas::with_clock(link.clone(), || 10_000_000_000_000);
    let behind = RedisQuotas::with_clock(link, || 10_000_000);
    let charges = [charge("a", 2, 10)];
    ahead.take(&charges).await.unwrap();
    let wait = refused(&behind, &charges).await.wait;
    assert!(wait <= Duration::from_secs(5), "{wait:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_at_once_never_get_more_than_the_limit_and_a_refusal_takes_nothing() {
    let (_, server) = with_server().await;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let quotas = Arc::new(RedisQuotas::new(crate::support::link(&server.url()).await));
        for _ in 0..4 {
            let quotas = quotas.clone();
            tasks.push(tokio::spawn(async move {
                let charges = [charge("a", 30, 86_400), charge("b", 20, 86_400)];
                let mut granted = 0;
                for _ in 0..10 {
                    granted += usize::from(quotas.take(&charges).await.is_ok());
                }
                granted
            }));
        }
    }
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    assert_eq!(granted, 20, "the narrower one decides");
    let quotas = RedisQuotas::new(crate::support::link(&server.url()).await);
    let states = quotas.take(&[charge("a", 30, 86_400)]).await.unwrap();
    assert_eq!(states[0].remaining, 9, "a hundred refusals took nothing");
}
