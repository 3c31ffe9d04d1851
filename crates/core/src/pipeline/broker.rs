//! The parts a request passes through, and its first step.

use std::{sync::Arc, time::Duration};

use arc_swap::{ArcSwap, Guard};

use super::{SessionParts, claim::Claims, owed::Owed, steps::Authenticated};
use crate::{
    anomaly::{self, Anomaly, Watch},
    audit::{Action, AuditEvent, Outcome},
    caller::{AuthFailure, Authentication, Caller, Presented, Scheme},
    code::Code,
    hash::Hasher,
    policy::Policy,
    ports::{
        AuditLog, Authenticator, Clock, Grants, Ids, Interviews, Leases, Minter, Quotas,
        Revocations,
    },
    refusal::Refusal,
    request::RequestFacts,
};

/// What a [`Broker`] is made of.
pub struct Parts {
    /// Finds out who asks.
    pub authenticator: Arc<dyn Authenticator>,
    /// Who may have what.
    pub policy: Arc<Policy>,
    /// Keeps the trail.
    pub audit: Arc<dyn AuditLog>,
    /// Counts what callers use.
    pub quotas: Arc<dyn Quotas>,
    /// Counts the grants each caller holds.
    pub leases: Arc<dyn Leases>,
    /// The interviews the app's backend registered.
    pub interviews: Arc<dyn Interviews>,
    /// The registry of grants.
    pub grants: Arc<dyn Grants>,
    /// What was withdrawn.
    pub revocations: Arc<dyn Revocations>,
    /// Obtains secrets from OpenAI.
    pub minter: Arc<dyn Minter>,
    /// What sessions through Hallpass need.
    pub sessions: SessionParts,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn Ids>,
    /// Hashes sensitive values for registry and trail.
    pub value_hasher: Hasher,
    /// Hashes subjects for `OpenAI-Safety-Identifier`.
    pub safety_hasher: Hasher,
    /// How long a whole mint may take.
    pub mint_deadline: Duration,
}

/// Takes requests from a credential to a secret.
pub struct Broker {
    pub(super) parts: Parts,
    policy: ArcSwap<Policy>,
    pub(super) watch: Watch,
    pub(super) refreshing: Claims,
}

impl Broker {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let policy = ArcSwap::new(parts.policy.clone());
        Self {
            parts,
            policy,
            watch: Watch::default(),
            refreshing: Claims::default(),
        }
    }

    /// The rules in force.
    #[must_use]
    pub fn policy(&self) -> Guard<Arc<Policy>> {
        self.policy.load()
    }

    /// Puts other rules in force; requests under way keep theirs.
    pub fn set_policy(&self, policy: Arc<Policy>) {
        self.policy.store(policy);
    }

    /// The trail, for events that are no request's.
    #[must_use]
    pub fn audit(&self) -> &Arc<dyn AuditLog> {
        &self.parts.audit
    }

    /// The registry of grants.
    #[must_use]
    pub fn grants(&self) -> &Arc<dyn Grants> {
        &self.parts.grants
    }

    /// The registered interviews.
    #[must_use]
    pub fn interviews(&self) -> &Arc<dyn Interviews> {
        &self.parts.interviews
    }

    /// What was withdrawn.
    #[must_use]
    pub fn revocations(&self) -> &Arc<dyn Revocations> {
        &self.parts.revocations
    }

    /// What sessions through Hallpass need.
    #[must_use]
    pub const fn sessions(&self) -> &SessionParts {
        &self.parts.sessions
    }

    /// The clock everything here goes by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// Where ids come from.
    #[must_use]
    pub fn ids(&self) -> &Arc<dyn Ids> {
        &self.parts.ids
    }

    /// Finds out who sends a request.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, when the request carries no credential, a bad
    /// one, or one that stands under a revocation.
    pub async fn authenticate(
        &self,
        request: Arc<RequestFacts>,
        presented: &Presented<'_>,
    ) -> Result<Authenticated<'_>, Refusal> {
        if let Some(refusal) = self.stale() {
            return Err(self.refuse(request, Action::Authenticate, refusal).await);
        }
        let epoch = self.parts.revocations.epoch();
        let mut owed = Owed::new(self, request.clone());
        match self.parts.authenticator.authenticate(presented).await {
            Authentication::Authenticated(caller) => {
                if let Some(hit) = self.caller_hit(&caller) {
                    owed.pay();
                    return Err(self.refuse_revoked(request, caller, &hit).await);
                }
                self.watch_subject(&request, &caller);
                Ok(Authenticated::new(self, request, caller, epoch, owed))
            }
            Authentication::Failed(failure) => {
                owed.pay();
                Err(self.refuse_credential(request, failure).await)
            }
            Authentication::NotRequested => {
                owed.pay();
                let refusal = Refusal::new(
                    Code::MissingCredential,
                    "This request carries no credential. Send \"Authorization: Bearer …\" with an API key or a JWT, or the app's session cookie.",
                );
                Err(self.refuse(request, Action::Authenticate, refusal).await)
            }
        }
    }

    /// Records a request that ends before anyone is authenticated.
    ///
    /// The refusal comes back, or the one that says the trail can't be written.
    pub fn refuse(
        &self,
        request: Arc<RequestFacts>,
        action: Action,
        refusal: Refusal,
    ) -> impl Future<Output = Refusal> + Send + use<> {
        let mut event = AuditEvent::outcome(self.parts.clock.now(), action, outcome_of(&refusal));
        event.request = Some(request);
        self.recorded(event, refusal)
    }

    async fn refuse_credential(&self, request: Arc<RequestFacts>, failure: AuthFailure) -> Refusal {
        let refusal =
            Refusal::new(failure.code, credential_sentence(failure.code)).internal(failure.detail);
        let outcome = Outcome::Refused {
            code: failure.code,
            reason: Some(failure.reason.to_owned()),
        };
        let mut event = AuditEvent::outcome(self.parts.clock.now(), Action::Authenticate, outcome);
        event.request = Some(request);
        event.credential = failure.credential;
        event.facts = vec![("scheme", failure.scheme.to_string())];
        self.recorded(event, refusal).await
    }

    /// Queues a final record; once it is durable, gives the refusal back.
    ///
    /// The record is no part of the future: each request would have to have
    /// room for it, and few are refused.
    pub(super) fn recorded(
        &self,
        event: AuditEvent,
        refusal: Refusal,
    ) -> impl Future<Output = Refusal> + Send + use<> {
        self.watch_refusal(&event, refusal.code);
        let durable = self.parts.audit.append(event);
        async move {
            match durable.await {
                Ok(_) => refusal,
                Err(error) => audit_unavailable(&error.to_string()),
            }
        }
    }
}

impl Broker {
    /// Looks for a caller or an address that is refused again and again.
    fn watch_refusal(&self, event: &AuditEvent, code: Code) {
        let address = event.request.as_ref().and_then(|request| request.address);
        let seen = self
            .watch
            .refused(code, event.caller.as_deref(), address, event.time);
        if let Some((anomaly, about)) = seen {
            self.tell(
                anomaly,
                &about,
                event.request.as_ref(),
                event.caller.as_ref(),
            );
        }
    }

    /// Looks for a subject that comes from many networks at once. A service is
    /// expected to.
    fn watch_subject(&self, request: &Arc<RequestFacts>, caller: &Arc<Caller>) {
        if caller.scheme == Scheme::ApiKey {
            return;
        }
        let now = self.parts.clock.now();
        if self.watch.seen_from(caller, request.address, now) {
            let about = format!("subject {}", caller.subject);
            if self.watch.is_news(Anomaly::SubjectNetworks, &about, now) {
                self.tell(
                    Anomaly::SubjectNetworks,
                    &about,
                    Some(request),
                    Some(caller),
                );
            }
        }
    }

    /// Queues the record of an anomaly. Not awaited: the request's own record
    /// comes after it and is durable only when this is.
    pub(super) fn tell(
        &self,
        anomaly: Anomaly,
        about: &str,
        request: Option<&Arc<RequestFacts>>,
        caller: Option<&Arc<Caller>>,
    ) {
        let now = self.parts.clock.now();
        let mut event = AuditEvent::outcome(now, Action::Anomaly, Outcome::Success);
        event.caller = caller.cloned();
        event.facts = anomaly::facts(anomaly, about, request.map(|request| &**request));
        drop(self.parts.audit.append(event));
    }
}

/// The outcome a refusal is recorded as.
pub(super) fn outcome_of(refusal: &Refusal) -> Outcome {
    let (code, reason) = (refusal.code, refusal.internal.clone());
    if code.is_failure() {
        return Outcome::Failed { code, reason };
    }
    let reason = reason.or_else(|| refusal.member.clone());
    Outcome::Refused { code, reason }
}

/// The refusal of everything while the trail can't be written.
pub(super) fn audit_unavailable(internal: &str) -> Refusal {
    let text = "The server can't write its audit trail, so it issues no credentials. Try again later; the operator has been told.";
    Refusal::new(Code::AuditUnavailable, text)
        .internal(internal)
        .retry_after(Duration::from_secs(5))
}

fn credential_sentence(code: Code) -> &'static str {
    match code {
        Code::ExpiredCredential => {
            "The credential's time is over. Sign in again, or send a newer one."
        }
        Code::RevokedCredential => "The credential was revoked. Ask the operator for another.",
        Code::MalformedCredential => {
            "The credential can't be read. Send \"Authorization: Bearer …\" with a whole API key or JWT, or the app's session cookie unchanged."
        }
        _ => "The credential is not valid here. Check that it is whole and meant for this server.",
    }
}
