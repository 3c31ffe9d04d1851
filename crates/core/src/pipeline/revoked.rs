//! Revocations on the way of a request.

use std::{sync::Arc, time::Duration};

use super::broker::Broker;
use crate::{
    audit::{Action, AuditEvent, Outcome},
    caller::Caller,
    code::Code,
    grant::Grant,
    permission::Permission,
    policy::Terms,
    refusal::Refusal,
    request::RequestFacts,
    revocation::{Hit, Question, ScopeKind},
};

/// How soon whoever met a replica that is behind may look again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Broker {
    /// The refusal of everyone while the latest revocations may not be known.
    pub(super) fn stale(&self) -> Option<Refusal> {
        if self.parts.revocations.is_fresh() {
            return None;
        }
        let text = "This replica does not know the latest revocations, so it lets nobody through. Try again: another may answer.";
        Some(Refusal::new(Code::RevocationsStale, text).retry_after(LOOK_AGAIN))
    }

    /// The revocation a caller stands under.
    ///
    /// Who may lift revocations is not stopped by one of everything, or nobody
    /// could; secrets they get no more than others.
    pub(super) fn caller_hit(&self, caller: &Caller) -> Option<Hit> {
        let revocations = &self.parts.revocations;
        let ask = |operator| revocations.check(&Question::Caller { caller, operator });
        let hit = ask(false)?;
        let policy = self.policy();
        match policy.require(caller, Permission::SessionsManage) {
            Ok(_) => ask(true),
            Err(_) => Some(hit),
        }
    }

    /// The revocation that forbids issuing a secret on these terms.
    pub(super) fn issue_hit(&self, caller: &Caller, terms: &Terms) -> Option<Hit> {
        self.parts.revocations.check(&Question::Issue {
            caller,
            profile: &terms.profile.name,
            session_id: terms.session_id.as_ref(),
        })
    }

    /// The revocation a grant stands under.
    pub(super) fn grant_hit(&self, grant: &Grant) -> Option<Hit> {
        self.parts.revocations.check(&Question::Grant(grant))
    }

    /// Records that a revoked caller came by.
    pub(super) async fn refuse_revoked(
        &self,
        request: Arc<RequestFacts>,
        caller: Arc<Caller>,
        hit: &Hit,
    ) -> Refusal {
        let refusal = refusal(hit);
        let outcome = Outcome::Refused {
            code: refusal.code,
            reason: refusal.internal.clone(),
        };
        let mut event = AuditEvent::outcome(self.parts.clock.now(), Action::Authenticate, outcome);
        event.request = Some(request);
        event.facts = vec![("scheme", caller.scheme.to_string())];
        event.caller = Some(caller);
        self.recorded(event, refusal).await
    }
}

/// What the caller is told of the revocation in their way.
pub(super) fn refusal(hit: &Hit) -> Refusal {
    let (code, text) = match hit.kind {
        ScopeKind::Key => (
            Code::RevokedCredential,
            "The API key was revoked. Ask the operator for another.",
        ),
        ScopeKind::Before => (
            Code::RevokedCredential,
            "Credentials as old as this one were revoked. Sign in again, or send a newer one.",
        ),
        ScopeKind::Grant | ScopeKind::Lineage => (
            Code::GrantRevoked,
            "The grant was revoked. Ask for a new secret, if you still may.",
        ),
        ScopeKind::Subject => (
            Code::AccessRevoked,
            "Your access was revoked. Ask the operator; signing in again does not help.",
        ),
        ScopeKind::Session => (
            Code::AccessRevoked,
            "This interview was revoked. Ask the operator for another.",
        ),
        ScopeKind::Profile => (
            Code::AccessRevoked,
            "This profile was revoked. Use another, or ask the operator.",
        ),
        ScopeKind::All => (
            Code::AccessRevoked,
            "The operator has stopped issuing credentials. Try again when they say so.",
        ),
    };
    Refusal::new(code, text).internal(format!("revocation {} of kind {}", hit.id, hit.kind))
}
