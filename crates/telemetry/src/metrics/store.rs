//! What replicas share: whether it is there, and how much is known of it.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::{Registry, Unit},
};

/// What replicas share.
pub struct StoreMetrics {
    up: Gauge,
    losses: Counter,
    fresh: Gauge,
    synced: Gauge<f64, AtomicU64>,
}

impl StoreMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            up: Gauge::default(),
            losses: Counter::default(),
            fresh: Gauge::default(),
            synced: Gauge::default(),
        };
        // Where nothing is shared nothing is missing.
        metrics.up.set(1);
        metrics.fresh.set(1);
        registry.register(
            "shared_store_up",
            "0 while Redis is away and each replica goes by its share of every limit",
            metrics.up.clone(),
        );
        registry.register(
            "shared_store_losses",
            "How often Redis went away or lost what it held",
            metrics.losses.clone(),
        );
        registry.register(
            "revocations_fresh",
            "0 while this replica has not heard of revocations for longer than it may",
            metrics.fresh.clone(),
        );
        registry.register_with_unit(
            "revocations_age",
            "How old what is known of revocations was when it was last looked at",
            Unit::Seconds,
            metrics.synced.clone(),
        );
        metrics
    }

    /// Notes that Redis went away.
    pub fn lost(&self) {
        self.up.set(0);
        self.losses.inc();
    }

    /// Notes that Redis lost what it held, and is there.
    pub fn emptied(&self) {
        self.losses.inc();
    }

    /// Notes that Redis is back.
    pub fn regained(&self) {
        self.up.set(1);
    }

    /// Notes how old this replica's knowledge of revocations is.
    pub fn revocations(&self, age: Duration, fresh: bool) {
        self.fresh.set(i64::from(fresh));
        self.synced.set(age.as_secs_f64());
    }
}
