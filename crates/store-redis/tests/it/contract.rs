//! The contracts of the ports, on the server of whoever includes this.

use super::with_server;

mod quotas {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use hallpass_store_redis::RedisQuotas;
    use hallpass_testkit::{contract::quotas::Counter, redis::RedisServer};

    use super::with_server;

    async fn fresh() -> (Counter, RedisServer) {
        let (link, server) = with_server().await;
        let hand = Arc::new(AtomicU64::new(1_000_000));
        let clock = hand.clone();
        let advance = move |by: Duration| {
            let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
            hand.fetch_add(micros, Ordering::SeqCst);
        };
        let now = move || clock.load(Ordering::SeqCst);
        let counter = Counter {
            quotas: Arc::new(RedisQuotas::with_clock(link, now)),
            advance: Box::new(advance),
        };
        (counter, server)
    }

    hallpass_testkit::quotas_contract!(fresh);
}

mod leases {
    use std::sync::Arc;

    use hallpass_core::concurrency::Leases;
    use hallpass_store_redis::{LeasePolicy, RedisLeases};
    use hallpass_testkit::redis::RedisServer;

    use super::with_server;
    use crate::support::clock;

    async fn of(policy: LeasePolicy) -> (Arc<dyn Leases>, RedisServer) {
        let (link, server) = with_server().await;
        let leases = RedisLeases::new(link, clock(), "places", policy);
        (Arc::new(leases.by_given_time()), server)
    }

    mod until_its_end {
        use super::{Arc, LeasePolicy, Leases, RedisServer, of};

        async fn fresh() -> (Arc<dyn Leases>, RedisServer) {
            of(LeasePolicy::UntilItsEnd).await
        }

        hallpass_testkit::leases_contract!(fresh);
    }

    mod while_held {
        use super::{Arc, LeasePolicy, Leases, RedisServer, of};

        async fn fresh() -> (Arc<dyn Leases>, RedisServer) {
            of(LeasePolicy::WhileHeld).await
        }

        hallpass_testkit::leases_contract!(fresh);
    }
}

mod passes {
    use std::sync::Arc;

    use hallpass_core::pass::Passes;
    use hallpass_store_redis::RedisPasses;
    use hallpass_testkit::redis::RedisServer;

    use super::with_server;
    use crate::support::clock;

    async fn fresh() -> (Arc<dyn Passes>, RedisServer) {
        let (link, server) = with_server().await;
        (Arc::new(RedisPasses::new(link, clock())), server)
    }

    hallpass_testkit::passes_contract!(fresh, ends_by_itself);
}
