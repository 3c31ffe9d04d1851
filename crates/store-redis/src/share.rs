//! What happens to limits while Redis is away: each replica goes by its share.
//!
//! A limit of `count` for N replicas leaves each with `count / N`, rounded
//! down and at least one. What a replica let through before counts against its
//! share, so the replicas together let through no more in a period without
//! Redis than they may in one with it, and N where the limit is less than N.
//! Neither side knows what the other counted when Redis goes and when it comes
//! back, so around each of the two moments one full limit more may pass.

use std::sync::Arc;

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    concurrency::{Lease, Leases},
    ids::{LineageId, Subject},
    ports::{Quotas, StoreError, TakeError},
    quota::{Charge, LimitState},
};

use crate::{leases::RedisLeases, quotas::RedisQuotas};

/// Rate limits of all replicas, or this one's share of them.
pub struct ShareQuotas {
    together: RedisQuotas,
    alone: Arc<dyn Quotas>,
    replicas: u32,
}

impl ShareQuotas {
    /// Counts in Redis; where that fails, in `alone`, by one share of so many.
    #[must_use]
    pub fn new(together: RedisQuotas, alone: Arc<dyn Quotas>, replicas: u32) -> Self {
        Self {
            together,
            alone,
            replicas,
        }
    }

    fn shares(&self, charges: &[Charge]) -> Vec<Charge> {
        let share = |charge: &Charge| Charge {
            rate: charge.rate.share(self.replicas),
            ..charge.clone()
        };
        charges.iter().map(share).collect()
    }
}

#[async_trait]
impl Quotas for ShareQuotas {
    async fn take(&self, charges: &[Charge]) -> Result<Vec<LimitState>, TakeError> {
        let shares = self.shares(charges);
        match self.together.take(charges).await {
            Ok(states) => {
                for share in shares {
                    // A share that is used up stays so, which is all that is
                    // to be known of it.
                    let _ = self.alone.take(&[share]).await;
                }
                Ok(states)
            }
            Err(TakeError::Store(_)) => self.alone.take(&shares).await,
            refused => refused,
        }
    }
}

/// Places of all replicas, or this one's share of them.
pub struct ShareLeases {
    together: Arc<RedisLeases>,
    alone: Arc<dyn Leases>,
    replicas: u32,
}

impl ShareLeases {
    /// Counts in Redis; where that fails, in `alone`, by one share of so many.
    #[must_use]
    pub fn new(together: Arc<RedisLeases>, alone: Arc<dyn Leases>, replicas: u32) -> Self {
        Self {
            together,
            alone,
            replicas,
        }
    }
}

#[async_trait]
impl Leases for ShareLeases {
    async fn take(
        &self,
        lease: &Lease,
        limit: u32,
        now: Timestamp,
    ) -> Result<Result<(), Timestamp>, StoreError> {
        match self.together.take(lease, limit, now).await {
            Ok(Ok(())) => self.alone.take(lease, u32::MAX, now).await,
            Ok(Err(frees_at)) => Ok(Err(frees_at)),
            Err(_) => {
                let share = (limit / self.replicas.max(1)).max(1).min(limit);
                let taken = self.alone.take(lease, share, now).await?;
                if taken.is_ok() {
                    self.together.adopt(lease);
                }
                Ok(taken)
            }
        }
    }

    fn settle(&self, lease: &Lease) {
        self.together.settle(lease);
        self.alone.settle(lease);
    }

    fn release(&self, holder: &Subject, lineage: &LineageId) {
        self.together.release(holder, lineage);
        self.alone.release(holder, lineage);
    }
}
