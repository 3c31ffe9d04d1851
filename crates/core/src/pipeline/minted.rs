//! A secret in hand, on its way to registry, trail and caller.

use std::sync::Arc;

use super::{
    attempt::Attempt,
    broker::{audit_unavailable, outcome_of},
    claim::Predecessor,
    issued::Issued,
    refresh, revoked,
    steps::AuditSlip,
    taken::Taken,
};
use crate::{
    audit::Outcome,
    code::Code,
    expiry,
    grant::{Grant, GrantDraft, GrantEvent, GrantState, RefreshOf},
    policy::Terms,
    ports::{MintedSecret, StoreError},
    refusal::Refusal,
};

/// A request for which OpenAI gave a secret.
pub struct Minted<'b> {
    pub(super) slip: AuditSlip<'b>,
    pub(super) terms: Terms,
    pub(super) of: Option<Box<Predecessor>>,
    pub(super) taken: Taken,
    pub(super) attempt: Attempt,
    pub(super) draft: Arc<GrantDraft>,
    pub(super) minted: MintedSecret,
}

impl<'b> Minted<'b> {
    /// Enters the grant into the registry; a refreshed one gives way to it.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, when the registry can't keep it, or another
    /// refresh of the same grant was faster.
    pub async fn record(self) -> Result<Recorded<'b>, Refusal> {
        let grant = Arc::new(self.grant());
        match self.keep(&grant).await {
            Ok(()) => Ok(Recorded {
                minted: self,
                grant,
            }),
            // Boxed, as all that is rare and large is here: a request's future
            // is moved as a whole, with room for whatever it may come to.
            Err(refusal) => Err(Box::pin(self.withhold(refusal)).await),
        }
    }

    async fn keep(&self, grant: &Arc<Grant>) -> Result<(), Refusal> {
        let grants = &self.slip.broker.parts.grants;
        if let Some(of) = &self.of {
            let first = grants.supersede(&of.id, &grant.id).await;
            if !first.map_err(|error| not_kept(&error))? {
                return Err(refresh::superseded());
            }
        }
        let kept = grants.record(grant.clone()).await;
        kept.map_err(|error| not_kept(&error))
    }

    /// Ends the attempt without its secret, which may live on unseen.
    async fn withhold(self, refusal: Refusal) -> Refusal {
        let mut upstream = self.minted.upstream;
        upstream.orphan_possible = true;
        let outcome = outcome_of(&refusal);
        let durable = self.attempt.close(outcome, None, upstream).await;
        durable.map_or_else(|error| audit_unavailable(&error.to_string()), |_| refusal)
    }

    /// What was revoked since the request was let in, where it reaches this.
    async fn revoked_meanwhile(&self, grant: &Grant) -> Option<Refusal> {
        let Self { slip, terms, .. } = self;
        let over = self.taken.interview_over(&slip.broker.parts, terms).await;
        let over = over.or_else(|| slip.broker.stale());
        if over.is_some() || slip.broker.parts.revocations.epoch() == slip.epoch {
            return over;
        }
        let hit = slip.broker.issue_hit(&slip.caller, terms);
        let hit = hit.or_else(|| slip.broker.grant_hit(grant));
        hit.map(|hit| revoked::refusal(&hit))
    }

    fn grant(&self) -> Grant {
        let parts = &self.slip.broker.parts;
        let created_at = parts.clock.now();
        let secret = &self.minted.secret;
        Grant {
            id: self.draft.id.clone(),
            lineage: self.draft.lineage.clone(),
            state: GrantState::Active,
            subject: self.slip.caller.subject.clone(),
            credential: self.slip.caller.credential.clone(),
            profile: self.draft.profile.clone(),
            session_id: self.draft.session_id.clone(),
            mode: self.draft.mode,
            created_at,
            expires_at: self.minted.expires_at,
            refresh_after: expiry::refresh_after(created_at, self.minted.expires_at),
            secret_last4: secret.last4().to_owned(),
            secret_hash: parts.value_hasher.hash(secret.expose().as_bytes()).to_hex(),
            address: self.slip.request.address,
            user_agent: self.slip.request.user_agent.clone(),
            request_id: self.slip.request.id.clone(),
            upstream_request_id: self.minted.upstream.request_id.clone(),
            refresh_of: self.of.as_ref().map(|of| RefreshOf {
                grant: of.id.clone(),
                lineage_started_at: of.lineage_started_at(),
            }),
            superseded_by: None,
        }
    }
}

/// A request whose grant is in the registry.
pub struct Recorded<'b> {
    minted: Minted<'b>,
    grant: Arc<Grant>,
}

impl Recorded<'_> {
    /// Writes the outcome; only then the secret may leave.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when the trail can't be written, or the caller, the
    /// profile or the lineage was revoked since the request was let in.
    pub async fn close_audit(self) -> Result<Issued, Refusal> {
        if let Some(refusal) = self.minted.revoked_meanwhile(&self.grant).await {
            return Err(Box::pin(self.give_up(refusal)).await);
        }
        let Minted {
            slip,
            terms,
            taken,
            attempt,
            minted,
            ..
        } = self.minted;
        let closed = attempt
            .close(Outcome::Success, Some(self.grant.clone()), minted.upstream)
            .await;
        closed.map_err(|error| audit_unavailable(&error.to_string()))?;
        let limits = taken.keep(&slip.broker.parts, self.grant.expires_at);
        Ok(Issued {
            grant: self.grant,
            secret: minted.secret,
            upstream_session: minted.session,
            connect_url: minted.connect_url,
            session: terms.session,
            profile: terms.profile,
            limits,
        })
    }

    /// Withholds the secret of a grant that was revoked before it left.
    async fn give_up(self, refusal: Refusal) -> Refusal {
        let grants = &self.minted.slip.broker.parts.grants;
        // The registry's word comes second: the trail says the secret never left.
        let applied = grants.apply(&self.grant.id, GrantEvent::Revoke).await;
        let refusal = match applied {
            Ok(_) => refusal,
            Err(error) => not_kept(&error),
        };
        self.minted.withhold(refusal).await
    }
}

fn not_kept(error: &StoreError) -> Refusal {
    Refusal::new(
        Code::StoreUnavailable,
        "The server can't keep its records, so it issues no credentials. Try again later.",
    )
    .internal(error.to_string())
}
