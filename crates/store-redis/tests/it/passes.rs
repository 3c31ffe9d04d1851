//! Passes go by themselves, and what Redis lost opens nothing.

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    hash::KeyedHash,
    ids::{GrantId, RoleName},
    pass::{PassRecord, Passes, Spent},
};
use hallpass_store_redis::RedisPasses;

use crate::support::{clock, link, with_server};

fn pass() -> PassRecord {
    PassRecord {
        grant: GrantId::from_random([7; 16]),
        hash: KeyedHash::from_bytes([7; 32]),
        role: RoleName::new("candidate").unwrap(),
        session: "{}".to_owned(),
        expires_at: Timestamp::from_second(1_800_000_060).unwrap(),
    }
}

#[tokio::test]
async fn a_pass_goes_an_hour_after_its_time() {
    let (link, server) = with_server().await;
    let passes = RedisPasses::new(link, clock());
    let pass = pass();
    passes.keep(&pass).await.unwrap();
    let name = format!("hp1:{{w:{}}}:pass", pass.grant);
    let left = server.ask(&format!("TTL {name}")).await;
    let left: i64 = left.trim_start_matches(':').trim().parse().unwrap();
    assert!((3_600..=3_660).contains(&left), "{left}");
    let kept = server.ask(&format!("HGETALL {name}")).await;
    assert!(!kept.contains("ek_hp_"), "its hash alone is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_made_here_is_used_there_exactly_once() {
    let (here, server) = with_server().await;
    let pass = pass();
    RedisPasses::new(here, clock()).keep(&pass).await.unwrap();
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let there = link(&server.url()).await;
        let there = Arc::new(RedisPasses::new(there, clock()));
        assert_eq!(there.find(&pass.grant).await.unwrap(), Some(pass.clone()));
        for _ in 0..8 {
            let (there, grant) = (there.clone(), pass.grant.clone());
            tasks.push(tokio::spawn(
                async move { there.spend(&grant).await.unwrap() },
            ));
        }
    }
    let mut first = 0;
    for task in tasks {
        first += usize::from(task.await.unwrap() == Spent::First);
    }
    assert_eq!(first, 1);
}

#[tokio::test]
async fn a_pass_that_redis_lost_is_unknown_and_without_redis_none_is_taken() {
    let (link, mut server) = with_server().await;
    let passes = RedisPasses::new(link, clock());
    let pass = pass();
    passes.keep(&pass).await.unwrap();
    server.empty().await;
    assert_eq!(passes.find(&pass.grant).await.unwrap(), None);
    assert_eq!(passes.spend(&pass.grant).await.unwrap(), Spent::Unknown);
    passes.keep(&pass).await.unwrap();
    server.kill();
    assert!(passes.spend(&pass.grant).await.is_err());
    assert!(passes.keep(&pass).await.is_err());
}
