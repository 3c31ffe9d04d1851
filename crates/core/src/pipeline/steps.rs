//! The steps after authentication, each consuming the one before.

use std::{sync::Arc, time::Duration};

use super::{
    attempt::Attempt,
    broker::{Broker, audit_unavailable, outcome_of},
    issued::Issued,
    refresh, revoked,
    taken::Taken,
};
use crate::{
    audit::{Action, AuditEvent, Outcome, Phase},
    caller::Caller,
    code::Code,
    expiry,
    grant::{Grant, GrantDraft, GrantEvent, GrantState, RefreshOf},
    journal::Journal,
    permission::Permission,
    policy::{MintAsk, Terms},
    ports::{MintFailure, MintOrder, MintedSecret, StoreError, TakeError},
    quota::Exceeded,
    refusal::Refusal,
    request::RequestFacts,
};

/// A request whose sender is known.
pub struct Authenticated<'b> {
    broker: &'b Broker,
    request: Arc<RequestFacts>,
    caller: Arc<Caller>,
    /// The revocations its sender was held against.
    epoch: u64,
}

impl<'b> Authenticated<'b> {
    pub(super) const fn new(
        broker: &'b Broker,
        request: Arc<RequestFacts>,
        caller: Arc<Caller>,
        epoch: u64,
    ) -> Self {
        Self {
            broker,
            request,
            caller,
            epoch,
        }
    }

    /// Who sends it.
    #[must_use]
    pub const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Opens the slip on which the request's end will be written.
    pub fn open_audit(self, action: Action) -> AuditSlip<'b> {
        AuditSlip {
            broker: self.broker,
            request: self.request,
            caller: self.caller,
            epoch: self.epoch,
            action,
        }
    }
}

/// A request that owes the trail its end.
#[must_use = "a request's end is always recorded"]
pub struct AuditSlip<'b> {
    pub(super) broker: &'b Broker,
    pub(super) request: Arc<RequestFacts>,
    pub(super) caller: Arc<Caller>,
    epoch: u64,
    action: Action,
}

impl<'b> AuditSlip<'b> {
    /// Who sends the request.
    #[must_use]
    pub const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Decides whether the caller may have what they ask for.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded.
    pub async fn authorise(self, ask: &MintAsk) -> Result<Permit<'b>, Refusal> {
        let verdict = self.broker.policy().authorise(&self.caller, ask);
        let verdict = verdict.and_then(|terms| self.not_revoked(terms));
        match verdict {
            Ok(terms) => Ok(Permit {
                slip: self,
                terms,
                of: None,
            }),
            Err(refusal) => Err(self.refuse(refusal).await),
        }
    }

    /// Lets terms pass that no revocation reaches.
    pub(super) fn not_revoked(&self, terms: Terms) -> Result<Terms, Refusal> {
        match self.broker.issue_hit(&self.caller, &terms) {
            Some(hit) => Err(revoked::refusal(&hit)),
            None => Ok(terms),
        }
    }

    /// Decides whether the caller may do something that is not minting.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded.
    pub async fn require(self, permission: Permission) -> Result<Self, Refusal> {
        let verdict = self
            .broker
            .policy()
            .require(&self.caller, permission)
            .map(drop);
        match verdict {
            Ok(()) => Ok(self),
            Err(refusal) => Err(self.refuse(refusal).await),
        }
    }

    /// Records that the request was refused, and gives the refusal back.
    pub async fn refuse(self, refusal: Refusal) -> Refusal {
        let event = self.event(Phase::Outcome, outcome_of(&refusal));
        self.broker.recorded(event, refusal).await
    }

    /// Records that the request was done.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when the trail can't be written: the answer may not leave.
    pub async fn done(self, facts: Vec<(&'static str, String)>) -> Result<(), Refusal> {
        let mut event = self.event(Phase::Outcome, Outcome::Success);
        event.facts = facts;
        let durable = self.broker.parts.audit.append(event).await;
        durable
            .map(drop)
            .map_err(|error| audit_unavailable(&error.to_string()))
    }

    /// Records that the request was done to a grant.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when the trail can't be written: the answer may not leave.
    pub async fn done_to(
        self,
        grant: Arc<Grant>,
        facts: Vec<(&'static str, String)>,
    ) -> Result<(), Refusal> {
        let mut event = self.event(Phase::Outcome, Outcome::Success);
        event.grant = Some(grant);
        event.facts = facts;
        let durable = self.broker.parts.audit.append(event).await;
        durable
            .map(drop)
            .map_err(|error| audit_unavailable(&error.to_string()))
    }

    fn event(&self, phase: Phase, outcome: Outcome) -> AuditEvent {
        let mut event = AuditEvent::outcome(self.broker.parts.clock.now(), self.action, outcome);
        event.phase = phase;
        event.request = Some(self.request.clone());
        event.caller = Some(self.caller.clone());
        event
    }
}

/// A request the rules allow.
pub struct Permit<'b> {
    pub(super) slip: AuditSlip<'b>,
    pub(super) terms: Terms,
    /// The grant whose place the next one takes.
    pub(super) of: Option<Arc<Grant>>,
}

impl<'b> Permit<'b> {
    /// Gives the slip back where an earlier answer is given again.
    pub fn into_slip(self) -> AuditSlip<'b> {
        self.slip
    }

    /// Takes every limit the request counts against, or none.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, when a limit is reached.
    pub async fn admit(self) -> Result<Admission<'b>, Refusal> {
        let policy = self.slip.broker.policy().clone();
        let parts = &self.slip.broker.parts;
        let (caller, of) = (&self.slip.caller, self.of.as_deref());
        match Taken::take(parts, &policy, caller, &self.terms, of).await {
            Ok(taken) => Ok(Admission {
                slip: self.slip,
                terms: self.terms,
                of: self.of,
                taken,
            }),
            Err(refusal) => Err(self.slip.refuse(refusal).await),
        }
    }
}

/// A request that is within its limits.
pub struct Admission<'b> {
    slip: AuditSlip<'b>,
    terms: Terms,
    of: Option<Arc<Grant>>,
    taken: Taken,
}

impl<'b> Admission<'b> {
    /// Announces the mint, then asks OpenAI.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, when OpenAI gives no secret; one without a
    /// record when the trail can't be written.
    pub async fn mint(self) -> Result<Minted<'b>, Refusal> {
        let parts = &self.slip.broker.parts;
        let draft = Arc::new(self.draft());
        let mut intent = self.slip.event(Phase::Intent, Outcome::Pending);
        intent.draft = Some(draft.clone());
        let order = self.order();
        let (audit, clock) = (parts.audit.clone(), parts.clock.clone());
        let attempt = Attempt::announce(audit, clock, intent, order.journal.clone())
            .await
            .map_err(|error| audit_unavailable(&error.to_string()))?;
        match parts.minter.mint(order).await {
            Ok(minted) => Ok(Minted {
                slip: self.slip,
                terms: self.terms,
                of: self.of,
                taken: self.taken,
                attempt,
                draft,
                minted,
            }),
            Err(failure) => {
                let MintFailure { refusal, upstream } = *failure;
                let outcome = outcome_of(&refusal);
                let durable = attempt.close(outcome, None, upstream).await;
                Err(durable.map_or_else(|error| audit_unavailable(&error.to_string()), |_| refusal))
            }
        }
    }

    fn draft(&self) -> GrantDraft {
        GrantDraft {
            id: self.taken.id.clone(),
            lineage: self.taken.lineage.clone(),
            profile: self.terms.profile.name.clone(),
            session_id: self.terms.session_id.clone(),
            mode: self.terms.mode,
            expires_after_seconds: self.terms.expires_after_seconds,
        }
    }

    fn order(&self) -> MintOrder {
        let parts = &self.slip.broker.parts;
        let subject = self.slip.caller.subject.as_str().as_bytes();
        MintOrder {
            session: self.terms.session.clone(),
            expires_after_seconds: self.terms.expires_after_seconds,
            safety_identifier: parts.safety_hasher.hash(subject).to_hex(),
            overridden: self.terms.overridden.clone(),
            deadline: parts.mint_deadline,
            journal: Journal::default(),
        }
    }
}

/// A request for which OpenAI gave a secret.
pub struct Minted<'b> {
    slip: AuditSlip<'b>,
    terms: Terms,
    of: Option<Arc<Grant>>,
    taken: Taken,
    attempt: Attempt,
    draft: Arc<GrantDraft>,
    minted: MintedSecret,
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
            Err(refusal) => Err(self.withhold(refusal).await),
        }
    }

    async fn keep(&self, grant: &Grant) -> Result<(), Refusal> {
        let grants = &self.slip.broker.parts.grants;
        if let Some(of) = &self.of {
            let first = grants.supersede(&of.id, &grant.id).await;
            if !first.map_err(|error| not_kept(&error))? {
                return Err(refresh::superseded());
            }
        }
        let kept = grants.record(grant).await;
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
    fn revoked_meanwhile(&self, grant: &Grant) -> Option<Refusal> {
        let Self { slip, terms, .. } = self;
        let over = self.taken.interview_over(&slip.broker.parts, terms);
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
        if let Some(refusal) = self.minted.revoked_meanwhile(&self.grant) {
            return Err(self.give_up(refusal).await);
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

pub(super) fn not_admitted(error: TakeError) -> Refusal {
    match error {
        TakeError::Exceeded(exceeded) => rate_limited(exceeded),
        TakeError::Store(error) => Refusal::new(
            Code::StoreUnavailable,
            "The server can't count requests now, so it issues no credentials. Try again later.",
        )
        .internal(error.to_string())
        .retry_after(Duration::from_secs(1)),
    }
}

fn rate_limited(exceeded: Exceeded) -> Refusal {
    let rate = exceeded.state.rate;
    let text = format!(
        "The limit \"{}\" of {} per {} seconds is reached. Wait as Retry-After says.",
        exceeded.state.name, rate.count, rate.seconds
    );
    let mut refusal = Refusal::new(Code::RateLimited, text).retry_after(exceeded.wait);
    refusal.limit = Some(Box::new(exceeded.state));
    refusal
}
