//! Going on with a call whose process died.

use std::sync::Arc;

use super::{broker::Broker, opened::Opened};
use crate::{
    audit::Action,
    call::{CallTerms, StandingCall},
    concurrency::Lease,
    grant::{Grant, GrantState},
    hold::Hold,
    ids::LineageId,
    live::{EndReason, LiveFacts, LiveSession},
    ports::StoreError,
    profile::SessionConfig,
    usage::{Source, Usage, UsageQuery},
};

/// Why a call is not gone on with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotResumed {
    /// A store can't be asked now.
    #[error("{0}")]
    Later(String),
    /// It can only be hung up.
    #[error("{0}")]
    Never(&'static str),
}

impl From<StoreError> for NotResumed {
    fn from(error: StoreError) -> Self {
        Self::Later(error.0)
    }
}

impl Broker {
    /// Enters a call as live that this process was given to care for.
    ///
    /// It is held to the terms it was opened with: its end, its role's budget
    /// with what was used before, its place among its caller's sessions. One
    /// that was revoked meanwhile is ended as soon as it is waited for. The
    /// takeover is durable in the trail when this returns.
    ///
    /// # Errors
    ///
    /// [`NotResumed`] where that can't be done now, or can't be done at all.
    pub async fn resume_session(
        self: &Arc<Self>,
        call: &StandingCall,
    ) -> Result<Opened, NotResumed> {
        let terms = call.terms.as_ref();
        let terms = terms.ok_or(NotResumed::Never("an earlier release made it"))?;
        let grant = self.parts.grants.find(&call.grant).await?;
        let grant = grant.ok_or(NotResumed::Never("its grant is not known any more"))?;
        let used = self.used_before(call).await?;
        let opened = self.take_on(call, terms, grant, used).await?;
        // Whoever revoked before the entry did not see it.
        let grant = opened.live().grant();
        if self.grant_hit(grant).is_some() || grant.state == GrantState::Revoked {
            opened.live().end(EndReason::Revoked);
        }
        let facts = vec![
            ("part", "took".to_owned()),
            ("call", call.place.call_id.clone()),
            ("upstream", call.place.upstream.to_string()),
        ];
        if opened.record(Action::SessionTakeover, facts).await.is_err() {
            opened.forget();
            return Err(NotResumed::Never("the trail can't be written"));
        }
        Ok(opened)
    }

    async fn used_before(&self, call: &StandingCall) -> Result<Usage, StoreError> {
        let query = UsageQuery {
            session: Some(call.session.clone()),
            limit: 2,
            ..UsageQuery::default()
        };
        let totals = self.parts.sessions.usage.totals(&query).await?;
        let measured = totals
            .groups
            .into_iter()
            .find(|total| total.source == Source::Measured);
        Ok(measured.map(|total| total.usage).unwrap_or_default())
    }

    async fn take_on(
        self: &Arc<Self>,
        call: &StandingCall,
        terms: &CallTerms,
        grant: Grant,
        used: Usage,
    ) -> Result<Opened, NotResumed> {
        let policy = self.policy().clone();
        let profile = policy.profiles.get(&grant.profile);
        let profile = profile.ok_or(NotResumed::Never("its profile is not offered any more"))?;
        let role = policy.roles.get(&terms.role);
        let role = role.ok_or(NotResumed::Never("its role is no more"))?;
        let session = serde_json::from_str(&terms.session).ok();
        let session = session.and_then(|members| SessionConfig::new(members).ok());
        let session = session.ok_or(NotResumed::Never("its session can't be read"))?;
        let counted = role.limits.concurrent_sessions.is_some();
        let place = match counted {
            true => self.keep_place(call, &grant).await,
            false => None,
        };
        let facts = LiveFacts {
            id: call.session.clone(),
            grant: Arc::new(grant),
            role: role.name.clone(),
            budget: role.budget,
            model: session.model().map(str::to_owned),
            started_at: terms.started_at,
            ends_at: call.ends_at,
            lease_seconds: profile.live.lease_seconds,
        };
        let live = LiveSession::resumed(facts, used, self.parts.clock.now());
        live.set_upstream_id(&call.place.call_id);
        let live = Arc::new(live);
        if !self.parts.sessions.live.enter(live.clone()) {
            return Err(NotResumed::Never("the server is stopping"));
        }
        Ok(Opened::new(
            self.clone(),
            live,
            profile.clone(),
            session,
            place,
        ))
    }

    /// Keeps the place the call has among its caller's sessions. It had one
    /// already, so no limit refuses it now; and where places can't be counted
    /// it goes on without.
    async fn keep_place(&self, call: &StandingCall, grant: &Grant) -> Option<Hold> {
        let lease = Lease {
            holder: grant.subject.clone(),
            lineage: LineageId::of_live(&call.session),
            until: call.ends_at,
        };
        let leases = self.parts.sessions.leases.clone();
        let taken = leases.take(&lease, u32::MAX, self.parts.clock.now()).await;
        taken.ok()?.ok()?;
        Some(Hold::new(move || {
            leases.release(&lease.holder, &lease.lineage);
        }))
    }
}
