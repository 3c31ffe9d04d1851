//! How many grants a caller may hold at once.
//!
//! What counts is the lineage: a first grant and all its refreshes are one. It
//! counts until the secret last issued in it expires, also when it was revoked:
//! in direct mode OpenAI takes a revoked secret until then, so a caller who
//! could revoke and mint again would hold more than the limit.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    Timestamp,
    code::Code,
    hold::Hold,
    ids::{LineageId, Subject},
    ports::StoreError,
    refusal::Refusal,
};

/// A lineage's place among those its caller holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub holder: Subject,
    /// What is held.
    pub lineage: LineageId,
    /// When it is free again by itself.
    pub until: Timestamp,
}

/// Keeps the leases of all callers.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes a lease where the holder has fewer than `limit` others in force at
    /// `now`; gives the time at which one of them ends where not.
    ///
    /// A lineage that has a lease gets it extended and counts once.
    async fn take(
        &self,
        lease: &Lease,
        limit: u32,
        now: Timestamp,
    ) -> Result<Result<(), Timestamp>, StoreError>;

    /// Sets the end of a lease that was taken. Best effort: unheard, it ends
    /// when it would have.
    fn settle(&self, lease: &Lease);

    /// Gives back a lease that was taken for nothing. Best effort.
    fn release(&self, holder: &Subject, lineage: &LineageId);
}

/// Takes a lease for a request: it goes back unless the request succeeds, to
/// where it stood `before` where it was a refresh's.
///
/// # Errors
///
/// A [`Refusal`] that says when the next lease is free.
pub async fn hold(
    leases: &Arc<dyn Leases>,
    lease: &Lease,
    (limit, before): (u32, Option<Timestamp>),
    now: Timestamp,
) -> Result<Hold, Refusal> {
    match leases.take(lease, limit, now).await {
        Ok(Ok(())) => {
            let (leases, mut lease) = (leases.clone(), lease.clone());
            Ok(Hold::new(move || match before {
                Some(until) => {
                    lease.until = until;
                    leases.settle(&lease);
                }
                None => leases.release(&lease.holder, &lease.lineage),
            }))
        }
        Ok(Err(frees_at)) => Err(full(limit, frees_at.duration_since(now).unsigned_abs())),
        Err(error) => Err(uncounted(&error)),
    }
}

fn full(limit: u32, wait: Duration) -> Refusal {
    let text = format!(
        "This caller holds {limit} unexpired grants, which is as many as its role allows at once. Wait as Retry-After says, or refresh one of them."
    );
    Refusal::new(Code::TooManyGrants, text).retry_after(wait)
}

fn uncounted(error: &StoreError) -> Refusal {
    let text = "The server can't count grants now, so it issues no credentials. Try again later.";
    Refusal::new(Code::StoreUnavailable, text)
        .internal(error.to_string())
        .retry_after(Duration::from_secs(1))
}
