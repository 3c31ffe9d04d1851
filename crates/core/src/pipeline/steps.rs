//! The steps after authentication, each consuming the one before.

use std::{sync::Arc, time::Duration};

use super::{
    attempt::Attempt,
    broker::{Broker, audit_unavailable, outcome_of},
    claim::Predecessor,
    minted::Minted,
    owed::Owed,
    revoked,
    taken::Taken,
};
use crate::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome, Phase, UpstreamFacts},
    caller::Caller,
    code::Code,
    grant::{Grant, GrantDraft, Mode},
    ids::ProfileName,
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
    owed: Owed<'b>,
    /// The revocations its sender was held against.
    epoch: u64,
}

impl<'b> Authenticated<'b> {
    pub(super) fn new(
        broker: &'b Broker,
        request: Arc<RequestFacts>,
        caller: Arc<Caller>,
        epoch: u64,
        mut owed: Owed<'b>,
    ) -> Self {
        owed.sent_by(&caller);
        Self {
            broker,
            request,
            caller,
            owed,
            epoch,
        }
    }

    /// Who sends it.
    #[must_use]
    pub const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// Opens the slip on which the request's end will be written.
    ///
    /// A slip that is dropped, because the caller hung up or a handler
    /// panicked, writes that.
    pub fn open_audit(mut self, action: Action) -> AuditSlip<'b> {
        self.owed.is_for(action);
        AuditSlip {
            broker: self.broker,
            request: self.request,
            caller: self.caller,
            epoch: self.epoch,
            owed: self.owed,
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
    pub(super) epoch: u64,
    owed: Owed<'b>,
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
        let policy = self.broker.policy();
        let verdict = policy.authorise(&self.caller, ask);
        let verdict = verdict.and_then(|terms| self.not_revoked(terms));
        match verdict {
            Ok(terms) => Ok(Permit {
                slip: self,
                terms,
                of: None,
            }),
            Err(refusal) => {
                // Only a profile there is: a caller may name what they like.
                let profile = ask.profile.as_deref();
                let profile = profile.and_then(|name| policy.profiles.get(name));
                let profile = profile.map(|profile| profile.name.clone());
                Err(Box::pin(self.refuse_mint(refusal, profile, ask.mode)).await)
            }
        }
    }

    /// Records that a secret was refused, and for which profile and mode.
    async fn refuse_mint(
        mut self,
        refusal: Refusal,
        profile: Option<ProfileName>,
        mode: Option<Mode>,
    ) -> Refusal {
        let mut event = self.event(Phase::Outcome, outcome_of(&refusal));
        event
            .facts
            .extend(profile.map(|name| ("profile", name.to_string())));
        event
            .facts
            .extend(mode.map(|mode| ("mode", mode.to_string())));
        self.owed.pay();
        self.broker.recorded(event, refusal).await
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
    pub async fn refuse(mut self, refusal: Refusal) -> Refusal {
        let event = self.event(Phase::Outcome, outcome_of(&refusal));
        self.owed.pay();
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
        self.write(event).await
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
        self.write(event).await
    }

    async fn write(mut self, event: AuditEvent) -> Result<(), Refusal> {
        let durable = self.broker.parts.audit.append(event);
        self.owed.pay();
        durable
            .await
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
    pub(super) of: Option<Box<Predecessor>>,
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
        let of = of.map(|of| &of.grant);
        let now = parts.clock.now();
        let within = self
            .slip
            .broker
            .within_budget(&self.terms.role, &caller.subject, now);
        if let Err(refusal) = within {
            return Err(Box::pin(self.refuse(refusal)).await);
        }
        match Taken::take(parts, &policy, caller, &self.terms, of).await {
            Ok(taken) => Ok(Admission {
                slip: self.slip,
                terms: self.terms,
                of: self.of,
                taken,
            }),
            Err(refusal) => Err(Box::pin(self.refuse(refusal)).await),
        }
    }

    async fn refuse(self, refusal: Refusal) -> Refusal {
        let profile = self.terms.profile.name.clone();
        let mode = self.terms.mode;
        let slip = self.slip;
        slip.refuse_mint(refusal, Some(profile), Some(mode)).await
    }
}

/// A request that is within its limits.
pub struct Admission<'b> {
    slip: AuditSlip<'b>,
    terms: Terms,
    of: Option<Box<Predecessor>>,
    taken: Taken,
}

impl<'b> Admission<'b> {
    /// Announces the mint, then asks OpenAI.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, when OpenAI gives no secret; one without a
    /// record when the trail can't be written.
    pub async fn mint(mut self) -> Result<Minted<'b>, Refusal> {
        let parts = &self.slip.broker.parts;
        let draft = Arc::new(self.draft());
        let mut intent = self.slip.event(Phase::Intent, Outcome::Pending);
        intent.draft = Some(draft.clone());
        let mut order = self.order();
        let announced_at = intent.time;
        let (audit, clock) = (parts.audit.clone(), parts.clock.clone());
        // From here on the attempt sees to the outcome.
        self.slip.owed.pay();
        let attempt = Attempt::announce(audit, clock, intent, order.journal.clone())
            .await
            .map_err(|error| audit_unavailable(&error.to_string()))?;
        order.deadline = left_of(order.deadline, announced_at, parts.clock.now());
        let minted = match self.terms.mode {
            Mode::Direct => parts.minter.mint(order).await,
            Mode::Relay | Mode::Call => self.pass(&draft).await,
        };
        match minted {
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

    /// Makes a secret of our own; nobody is asked.
    async fn pass(&self, draft: &GrantDraft) -> Result<MintedSecret, Box<MintFailure>> {
        let parts = &self.slip.broker.parts;
        let life = Duration::from_secs(self.terms.expires_after_seconds.into());
        let expires_at = parts
            .clock
            .now()
            .saturating_add(life)
            .unwrap_or(Timestamp::MAX);
        let sessions = &parts.sessions;
        let (pass, record) = sessions.issue(&*parts.ids, draft, &self.terms, expires_at);
        let kept = sessions.passes.keep(&record).await;
        kept.map_err(|error| not_kept(&error))?;
        Ok(MintedSecret {
            secret: pass.into_secret(),
            expires_at,
            session: self.terms.session.to_raw(),
            connect_url: sessions.connect_url(self.terms.mode, &self.terms.session),
            upstream: UpstreamFacts::default(),
        })
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

/// What is left of a deadline after the wait for the disk; half of it at
/// least, so that a wall clock that jumps takes no mint with it.
fn left_of(deadline: Duration, since: Timestamp, now: Timestamp) -> Duration {
    let waited = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    deadline.saturating_sub(waited.min(deadline / 2))
}

fn not_kept(error: &StoreError) -> Box<MintFailure> {
    let text = "The server can't keep its records, so it issues no credentials. Try again later.";
    Box::new(MintFailure {
        refusal: Refusal::new(Code::StoreUnavailable, text).internal(error.to_string()),
        upstream: UpstreamFacts::default(),
    })
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
