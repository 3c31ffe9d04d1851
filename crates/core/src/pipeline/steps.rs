//! The steps after authentication, each consuming the one before.

use std::{sync::Arc, time::Duration};

use super::{
    attempt::Attempt,
    broker::{Broker, audit_unavailable, outcome_of},
    issued::Issued,
};
use crate::{
    audit::{Action, AuditEvent, Outcome, Phase},
    caller::Caller,
    code::Code,
    expiry,
    grant::{Grant, GrantDraft, GrantState},
    journal::Journal,
    permission::Permission,
    policy::{MintAsk, Terms},
    ports::{MintFailure, MintOrder, MintedSecret, TakeError},
    quota::{Exceeded, LimitState},
    refusal::Refusal,
    request::RequestFacts,
};

/// A request whose sender is known.
pub struct Authenticated<'b> {
    broker: &'b Broker,
    request: Arc<RequestFacts>,
    caller: Arc<Caller>,
}

impl<'b> Authenticated<'b> {
    pub(super) const fn new(
        broker: &'b Broker,
        request: Arc<RequestFacts>,
        caller: Arc<Caller>,
    ) -> Self {
        Self {
            broker,
            request,
            caller,
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
            action,
        }
    }
}

/// A request that owes the trail its end.
#[must_use = "a request's end is always recorded"]
pub struct AuditSlip<'b> {
    broker: &'b Broker,
    request: Arc<RequestFacts>,
    caller: Arc<Caller>,
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
        match verdict {
            Ok(terms) => Ok(Permit { slip: self, terms }),
            Err(refusal) => Err(self.refuse(refusal).await),
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
    slip: AuditSlip<'b>,
    terms: Terms,
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
        let charges = self
            .slip
            .broker
            .policy()
            .charges(&self.slip.caller, &self.terms);
        match self.slip.broker.parts.quotas.take(&charges).await {
            Ok(limits) => Ok(Admission {
                slip: self.slip,
                terms: self.terms,
                limits,
            }),
            Err(error) => Err(self.slip.refuse(not_admitted(error)).await),
        }
    }
}

/// A request that is within its limits.
pub struct Admission<'b> {
    slip: AuditSlip<'b>,
    terms: Terms,
    limits: Vec<LimitState>,
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
                limits: self.limits,
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
        let ids = &self.slip.broker.parts.ids;
        GrantDraft {
            id: ids.grant_id(),
            lineage: ids.lineage_id(),
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
    limits: Vec<LimitState>,
    attempt: Attempt,
    draft: Arc<GrantDraft>,
    minted: MintedSecret,
}

impl<'b> Minted<'b> {
    /// Enters the grant into the registry.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, when the registry can't keep it.
    pub async fn record(self) -> Result<Recorded<'b>, Refusal> {
        let grant = Arc::new(self.grant());
        let kept = self.slip.broker.parts.grants.record(&grant).await;
        if let Err(error) = kept {
            let refusal = Refusal::new(
                Code::StoreUnavailable,
                "The server can't keep its records, so it issues no credentials. Try again later.",
            )
            .internal(error.to_string());
            let mut upstream = self.minted.upstream;
            upstream.orphan_possible = true;
            let durable = self
                .attempt
                .close(outcome_of(&refusal), None, upstream)
                .await;
            return Err(
                durable.map_or_else(|error| audit_unavailable(&error.to_string()), |_| refusal)
            );
        }
        Ok(Recorded {
            minted: self,
            grant,
        })
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
    /// A [`Refusal`] when the trail can't be written.
    pub async fn close_audit(self) -> Result<Issued, Refusal> {
        let Minted {
            terms,
            limits,
            attempt,
            minted,
            ..
        } = self.minted;
        let closed = attempt
            .close(Outcome::Success, Some(self.grant.clone()), minted.upstream)
            .await;
        closed.map_err(|error| audit_unavailable(&error.to_string()))?;
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
}

fn not_admitted(error: TakeError) -> Refusal {
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
