//! Redis decides as the core's model does, whatever comes in whatever order.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use hallpass_core::{
    ports::{Quotas, TakeError},
    quota::{Charge, Exceeded, LimitState, Rate},
};
use hallpass_store_memory::MemoryQuotas;
use hallpass_store_redis::RedisQuotas;
use hallpass_testkit::redis::RedisServer;
use proptest::prelude::*;

use crate::support::link;

const NAMES: [&str; 4] = [
    "caller-minute",
    "caller-day",
    "profile-minute",
    "global-minute",
];

/// One request: how long after the one before, and what it is charged for.
#[derive(Debug, Clone)]
struct Step {
    gap: u64,
    charged: Vec<usize>,
    who: u8,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![Just(0), 0_u64..1_000, 0_u64..200_000_000];
    let charged = prop::sample::subsequence(vec![0, 1, 2, 3], 1..=4).prop_shuffle();
    let step = (gap, charged, 0_u8..2).prop_map(|(gap, charged, who)| Step { gap, charged, who });
    prop::collection::vec(step, 1..60)
}

fn rates() -> impl Strategy<Value = Vec<Rate>> {
    let rate = (1_u32..12, prop_oneof![Just(60), Just(3600), 1_u32..90_000]);
    let rate = rate.prop_map(|(count, seconds)| Rate { count, seconds });
    prop::collection::vec(rate, 4)
}

type Verdict = Result<Vec<LimitState>, Exceeded>;

async fn verdict(quotas: &dyn Quotas, charges: &[Charge]) -> Verdict {
    match quotas.take(charges).await {
        Ok(states) => Ok(states),
        Err(TakeError::Exceeded(exceeded)) => Err(exceeded),
        Err(TakeError::Store(error)) => panic!("{error}"),
    }
}

fn charge(rates: &[Rate], step: &Step, case: u64, limit: usize) -> Charge {
    Charge {
        name: NAMES[limit],
        key: format!("{}:{case}-{}", NAMES[limit], step.who),
        rate: rates[limit],
    }
}

#[test]
fn memory_and_redis_give_the_same_verdict_for_the_same_trace() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_server, link) = runtime.block_on(async {
        let server = RedisServer::start().await;
        let link = link(&server.url()).await;
        (server, link)
    });
    let case = AtomicU64::new(0);
    let cases = std::env::var("HALLPASS_TRACES").ok();
    let cases = cases.and_then(|cases| cases.parse().ok()).unwrap_or(64);
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(rates in rates(), steps in steps(), start in 0_u64..2_000_000_000_000_000)| {
        let case = case.fetch_add(1, Ordering::SeqCst);
        let hand = Arc::new(AtomicU64::new(start));
        let (a, b) = (hand.clone(), hand.clone());
        let memory = MemoryQuotas::with_clock(move || a.load(Ordering::SeqCst));
        let redis = RedisQuotas::with_clock(link.clone(), move || b.load(Ordering::SeqCst));
        for (number, step) in steps.iter().enumerate() {
            hand.fetch_add(step.gap, Ordering::SeqCst);
            let charged = step.charged.iter();
            let charges: Vec<Charge> =
                charged.map(|limit| charge(&rates, step, case, *limit)).collect();
            let (ours, theirs) = runtime.block_on(async {
                (verdict(&memory, &charges).await, verdict(&redis, &charges).await)
            });
            prop_assert_eq!(ours, theirs, "step {} of {:?}", number, steps);
        }
    });
}
