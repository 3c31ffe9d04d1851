//! What an admitted request has taken, all of it or nothing.

use crate::{
    Timestamp,
    caller::Caller,
    concurrency::{self, Lease},
    grant::Grant,
    hold::Hold,
    ids::{GrantId, LineageId},
    interview,
    policy::{Policy, Terms},
    quota::LimitState,
    refusal::Refusal,
};

use super::{broker::Parts, steps::not_admitted};

/// Limits, a place among the caller's grants, and one grant of an interview.
///
/// Dropped before it is kept, place and grant are free again; the rates stay
/// charged, since they count attempts.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) id: GrantId,
    pub(super) lineage: LineageId,
    pub(super) limits: Vec<LimitState>,
    interview: Option<Hold>,
    lease: Option<(Lease, Hold)>,
}

impl Taken {
    /// Takes everything a request counts against.
    ///
    /// The rates come last: what was held before them goes back by itself when
    /// they refuse, and they are taken all or none. A refresh goes on with the
    /// lineage of the grant it is `of`.
    pub(super) async fn take(
        parts: &Parts,
        policy: &Policy,
        caller: &Caller,
        terms: &Terms,
        of: Option<&Grant>,
    ) -> Result<Self, Refusal> {
        let now = parts.clock.now();
        let id = parts.ids.grant_id(now);
        let lineage = of.map_or_else(|| LineageId::begun_by(&id), |grant| grant.lineage.clone());
        let interview = interview::enter(&parts.interviews, policy, caller, terms, now).await?;
        let lease = hold_lease(parts, caller, terms, (&lineage, of), now).await?;
        let charges = policy.charges(caller, terms);
        let limits = parts.quotas.take(&charges).await.map_err(not_admitted)?;
        Ok(Self {
            id,
            lineage,
            limits,
            interview,
            lease,
        })
    }

    /// The refusal where the interview ended since the grant was counted.
    pub(super) async fn interview_over(&self, parts: &Parts, terms: &Terms) -> Option<Refusal> {
        self.interview.as_ref()?;
        let id = terms.session_id.as_ref()?;
        match parts.interviews.is_open(id, parts.clock.now()).await {
            Ok(true) => None,
            Ok(false) => Some(interview::over()),
            Err(error) => Some(interview::unread(&error)),
        }
    }

    /// Keeps everything: the grant is issued and lives until then.
    pub(super) fn keep(self, parts: &Parts, expires_at: Timestamp) -> Vec<LimitState> {
        if let Some(hold) = self.interview {
            hold.keep();
        }
        if let Some((mut lease, hold)) = self.lease {
            hold.keep();
            lease.until = expires_at;
            parts.leases.settle(&lease);
        }
        self.limits
    }
}

/// Until the answer is there, the lease lasts as long as it may have to.
async fn hold_lease(
    parts: &Parts,
    caller: &Caller,
    terms: &Terms,
    (lineage, of): (&LineageId, Option<&Grant>),
    now: Timestamp,
) -> Result<Option<(Lease, Hold)>, Refusal> {
    let Some(limit) = terms.role.limits.concurrent_grants else {
        return Ok(None);
    };
    let life = std::time::Duration::from_secs(terms.expires_after_seconds.into());
    let lease = Lease {
        holder: caller.subject.clone(),
        lineage: lineage.clone(),
        until: now
            .checked_add(parts.mint_deadline + life)
            .unwrap_or(Timestamp::MAX),
    };
    let before = of.map(|grant| grant.expires_at);
    let hold = concurrency::hold(&parts.leases, &lease, (limit, before), now).await?;
    Ok(Some((lease, hold)))
}
