//! The memory store holds the contracts of its ports.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hallpass_store_memory::MemoryQuotas;
use hallpass_testkit::contract::quotas::Counter;

async fn fresh() -> (Counter, ()) {
    let hand = Arc::new(AtomicU64::new(0));
    let clock = hand.clone();
    let advance = move |by: Duration| {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        hand.fetch_add(micros, Ordering::SeqCst);
    };
    let counter = Counter {
        quotas: Arc::new(MemoryQuotas::with_clock(move || {
            clock.load(Ordering::SeqCst)
        })),
        advance: Box::new(advance),
    };
    (counter, ())
}

hallpass_testkit::quotas_contract!(crate::fresh);

mod revocations {
    use hallpass_store_memory::MemoryRevocations;

    async fn fresh() -> (MemoryRevocations, ()) {
        (MemoryRevocations::default(), ())
    }

    hallpass_testkit::revocations_contract!(fresh);
}

mod alerts {
    use std::sync::Arc;

    use hallpass_store_memory::MemoryAlerts;

    async fn fresh() -> (Arc<MemoryAlerts>, ()) {
        (Arc::default(), ())
    }

    hallpass_testkit::alerts_contract!(fresh);
}

mod passes {
    use std::sync::Arc;

    use hallpass_core::pass::Passes;
    use hallpass_store_memory::MemoryPasses;

    async fn fresh() -> (Arc<dyn Passes>, ()) {
        (Arc::new(MemoryPasses::default()), ())
    }

    hallpass_testkit::passes_contract!(fresh);
}

mod leases {
    use std::sync::Arc;

    use hallpass_core::concurrency::Leases;
    use hallpass_store_memory::MemoryLeases;

    async fn fresh() -> (Arc<dyn Leases>, ()) {
        (Arc::new(MemoryLeases::default()), ())
    }

    hallpass_testkit::leases_contract!(fresh);
}

mod usage {
    use std::sync::Arc;

    use hallpass_core::usage::UsageLedger;
    use hallpass_store_memory::MemoryUsage;

    async fn fresh() -> (Arc<dyn UsageLedger>, ()) {
        (Arc::new(MemoryUsage::default()), ())
    }

    hallpass_testkit::usage_contract!(fresh);
}
