//! Revoking, lifting, and what a page reports of its session.

use std::sync::Arc;

use super::{broker::Broker, steps::AuditSlip};
use crate::{
    Timestamp,
    anomaly::{self, Anomaly},
    audit::{Action, AuditEvent, Outcome},
    code::Code,
    grant::{Grant, GrantEvent},
    ids::{RevocationId, Subject},
    live::Elsewhere,
    ports::{StoreError, Withdrawn},
    quota::{Charge, Rate},
    refusal::Refusal,
    revocation::{Lifted, Revocation, Scope},
    usage::{Hour, Source, Usage, UsageKey},
};

/// Reports of one caller a minute; a page sends a handful an hour.
const REPORTS: Rate = Rate::per_minute(120);

/// A replica that did not hear of a revocation for so long serves nobody.
const KNOWN_AFTER_SECONDS: i64 = 300;

/// A revocation in force, and what it did.
#[derive(Debug, Clone)]
pub struct Withdrawal {
    /// The revocation.
    pub revocation: Revocation,
    /// Whether it is new; false where one of the same scope was in force.
    pub is_new: bool,
    /// What it did to grants.
    pub withdrawn: Withdrawn,
    /// Live sessions it ended, those of replicas that said so among them.
    pub sessions_ended: u64,
    /// Other replicas that have not said yet that it is in force there; none
    /// where they can't be asked.
    pub replicas_pending: Option<u64>,
}

impl AuditSlip<'_> {
    /// Puts a revocation in force, revokes the grants it reaches, and records
    /// both.
    ///
    /// It is in force before it is recorded: where the trail can't be written
    /// it blocks all the same, and asking again records it.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when store or trail can't be written.
    pub async fn revoke(self, scope: Scope, reason: Option<String>) -> Result<Withdrawal, Refusal> {
        let done = self.withdraw(scope, reason).await;
        let withdrawal = match done {
            Ok(withdrawal) => withdrawal,
            Err(error) => return Err(self.refuse(not_stored(&error)).await),
        };
        let facts = facts_of(&withdrawal);
        self.done(facts).await?;
        Ok(withdrawal)
    }

    /// Revokes one grant, and records both; the grant as it is then.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when store or trail can't be written.
    pub async fn revoke_grant(
        self,
        grant: Grant,
        reason: Option<String>,
    ) -> Result<(Grant, Withdrawal), Refusal> {
        let scope = Scope::Grant(grant.id.clone());
        let done = match self.withdraw(scope, reason).await {
            Ok(done) => done,
            Err(error) => return Err(self.refuse(not_stored(&error)).await),
        };
        let after = match self.broker.parts.grants.find(&grant.id).await {
            Ok(after) => after.unwrap_or(grant),
            Err(error) => return Err(self.refuse(not_stored(&error)).await),
        };
        let facts = facts_of(&done);
        self.done_to(Arc::new(after.clone()), facts).await?;
        Ok((after, done))
    }

    async fn withdraw(
        &self,
        scope: Scope,
        reason: Option<String>,
    ) -> Result<Withdrawal, StoreError> {
        let by = self.caller.subject.clone();
        self.broker.withdraw(scope, reason, by).await
    }

    /// Takes a revocation out of force.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when there is none, or store or trail can't be written.
    pub async fn lift(self, id: &str) -> Result<Revocation, Refusal> {
        let parts = &self.broker.parts;
        let end = Lifted {
            at: parts.clock.now(),
            by: self.caller.subject.clone(),
        };
        let lifted = match RevocationId::new(id) {
            Ok(id) => parts.revocations.lift(&id, &end).await,
            Err(_) => Ok(None),
        };
        match lifted {
            Ok(Some(revocation)) => {
                self.done(scope_facts(&revocation)).await?;
                Ok(revocation)
            }
            Ok(None) => {
                let none = Refusal::new(Code::NotFound, "There is no such revocation.");
                Err(self.refuse(none).await)
            }
            Err(error) => Err(self.refuse(not_stored(&error)).await),
        }
    }

    /// Keeps what a page reports of its own session, and moves the grant on.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, when reports come too fast or nothing can be
    /// written.
    pub async fn reported(
        self,
        grant: Grant,
        event: Option<GrantEvent>,
        usage: Option<Usage>,
        facts: Vec<(&'static str, String)>,
    ) -> Result<Arc<Grant>, Refusal> {
        let charge = Charge {
            name: "caller-reports",
            key: format!("caller-reports:{}", self.caller.subject),
            rate: REPORTS,
        };
        if let Err(error) = self.broker.parts.quotas.take(&[charge]).await {
            return Err(self.refuse(super::steps::not_admitted(error)).await);
        }
        self.watch_networks(&grant);
        let moved = match event {
            Some(event) => self.broker.parts.grants.apply(&grant.id, event).await,
            None => Ok(None),
        };
        let grant = match moved {
            Ok(moved) => Arc::new(moved.unwrap_or(grant)),
            Err(error) => return Err(self.refuse(not_stored(&error)).await),
        };
        if let Some(usage) = usage {
            self.note_reported(&grant, &usage);
        }
        self.done_to(grant.clone(), facts).await?;
        Ok(grant)
    }

    /// Keeps what a page says it used, apart from what was measured.
    fn note_reported(&self, grant: &Grant, usage: &Usage) {
        let policy = self.broker.policy();
        let mut roles = policy.roles_of(&self.caller);
        let Some(role) = roles.next() else { return };
        let model = policy.profiles.get(&grant.profile);
        let model = model.and_then(|profile| profile.session.model());
        let key = UsageKey {
            hour: Hour::of(self.broker.parts.clock.now()),
            session: grant.id.to_string(),
            subject: grant.subject.clone(),
            role: role.name.clone(),
            profile: grant.profile.clone(),
            mode: Some(grant.mode),
            model: model.unwrap_or("-").to_owned(),
            source: Source::Reported,
        };
        self.broker.parts.sessions.usage.add(&key, usage);
    }

    /// Looks at the network a grant is used from.
    pub(super) fn watch_networks(&self, grant: &Grant) {
        let (Some(first), Some(now)) = (grant.address, self.request.address) else {
            return;
        };
        if anomaly::network(first) != anomaly::network(now) {
            self.report(Anomaly::GrantNetworks, &grant.lineage.to_string());
        }
    }

    /// Records something that looks like an attack; not more often than it
    /// helps.
    pub(super) fn report(&self, anomaly: Anomaly, about: &str) {
        let now = self.broker.parts.clock.now();
        if self.broker.watch.is_news(anomaly, about, now) {
            let (request, caller) = (Some(&self.request), Some(&self.caller));
            self.broker.tell(anomaly, about, request, caller);
        }
    }
}

impl Broker {
    /// Puts a revocation in force that nobody asked for: the server found a
    /// reason itself. It is recorded, and in force whether that works or not.
    ///
    /// # Errors
    ///
    /// A [`StoreError`] when it can't be kept.
    pub async fn revoke_unasked(
        &self,
        scope: Scope,
        reason: String,
        by: Subject,
    ) -> Result<Withdrawal, StoreError> {
        let done = self.withdraw(scope, Some(reason), by).await?;
        let (now, success) = (self.parts.clock.now(), Outcome::Success);
        let mut event = AuditEvent::outcome(now, Action::RevocationAdd, success);
        event.facts = facts_of(&done);
        // A trail that can't be written says so itself.
        let _ = self.parts.audit.append(event).await;
        Ok(done)
    }

    /// What other replicas did about a revocation: what they say of one that is
    /// young; an old one is in force wherever anyone is served.
    async fn elsewhere(&self, of: &Revocation, is_new: bool, now: Timestamp) -> Elsewhere {
        let age = now.duration_since(of.created_at).as_secs();
        if !is_new && age > KNOWN_AFTER_SECONDS {
            return Elsewhere {
                ended: 0,
                silent: Some(0),
            };
        }
        let said = self.parts.sessions.peers.elsewhere(&of.id).await;
        Elsewhere {
            // Those of one that was in force before were told then.
            ended: if is_new { said.ended } else { 0 },
            ..said
        }
    }

    async fn withdraw(
        &self,
        scope: Scope,
        reason: Option<String>,
        by: Subject,
    ) -> Result<Withdrawal, StoreError> {
        let parts = &self.parts;
        let now = parts.clock.now();
        let asked = Revocation {
            id: parts.ids.revocation_id(),
            scope,
            reason,
            created_at: now,
            created_by: by,
            lifted: None,
        };
        let revocation = parts.revocations.add(&asked).await?;
        // First what lives: whoever is told of the revocation may rely on it.
        let sessions_ended = parts.sessions.live.revoke(&revocation.scope);
        let withdrawn = parts.grants.withdraw(&revocation.scope, now).await?;
        // Whoever came in between was entered before it was checked again.
        let sessions_ended = sessions_ended + parts.sessions.live.revoke(&revocation.scope);
        let is_new = revocation.id == asked.id;
        if is_new {
            // For a replica that is asked for the same.
            parts.sessions.peers.reached(&revocation.id, 0).await;
        }
        let elsewhere = self.elsewhere(&revocation, is_new, now).await;
        Ok(Withdrawal {
            is_new,
            revocation,
            withdrawn,
            sessions_ended: sessions_ended + elsewhere.ended,
            replicas_pending: elsewhere.silent,
        })
    }
}

fn facts_of(withdrawal: &Withdrawal) -> Vec<(&'static str, String)> {
    let Withdrawal {
        revocation,
        is_new,
        withdrawn,
        sessions_ended,
        replicas_pending,
    } = withdrawal;
    let mut facts = scope_facts(revocation);
    facts.extend(revocation.reason.clone().map(|reason| ("reason", reason)));
    facts.push(("new", is_new.to_string()));
    facts.push(("revoked", withdrawn.revoked.to_string()));
    facts.push(("ended", withdrawn.ended.to_string()));
    facts.push(("sessions_ended", sessions_ended.to_string()));
    let pending = replicas_pending.map_or("unknown".to_owned(), |count| count.to_string());
    facts.push(("replicas_pending", pending));
    facts.push(("unexpired_secrets", withdrawn.unexpired.to_string()));
    let until = withdrawn.unexpired_until;
    facts.extend(until.map(|until| ("unexpired_until", until.to_string())));
    facts
}

fn scope_facts(revocation: &Revocation) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("revocation", revocation.id.to_string()),
        ("kind", revocation.scope.kind().to_string()),
    ];
    let target = revocation.scope.target();
    facts.extend(target.map(|target| ("target", target)));
    facts
}

fn not_stored(error: &StoreError) -> Refusal {
    Refusal::new(
        Code::StoreUnavailable,
        "The server can't keep its records. Try again; nothing is done twice.",
    )
    .internal(error.to_string())
}
