//! A session that is live: measured, and recorded when it ends.

use std::sync::Arc;

use super::broker::{Broker, audit_unavailable};
use crate::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome},
    grant::GrantEvent,
    hold::Hold,
    live::{EndReason, LiveSession},
    profile::{Profile, SessionConfig},
    refusal::Refusal,
    request::RequestFacts,
    usage::{Account, Hour, Reading, Source, Standing, Usage, UsageKey, day_of},
};

/// The model time is noted under, which no price belongs to.
const NO_MODEL: &str = "-";

/// A live session in the hands of whoever carries it.
///
/// Dropped without [`Opened::close`], it is recorded as lost.
pub struct Opened {
    broker: Arc<Broker>,
    live: Arc<LiveSession>,
    profile: Arc<Profile>,
    session: SessionConfig,
    place: Option<Hold>,
    open: bool,
}

impl Opened {
    pub(super) const fn new(
        broker: Arc<Broker>,
        live: Arc<LiveSession>,
        profile: Arc<Profile>,
        session: SessionConfig,
        place: Option<Hold>,
    ) -> Self {
        Self {
            broker,
            live,
            profile,
            session,
            place,
            open: true,
        }
    }

    /// The session as everyone sees it.
    #[must_use]
    pub const fn live(&self) -> &Arc<LiveSession> {
        &self.live
    }

    /// Its profile.
    #[must_use]
    pub const fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// Its configuration, allowed overrides included.
    #[must_use]
    pub const fn session(&self) -> &SessionConfig {
        &self.session
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.broker.parts.clock.now()
    }

    /// The keyed hash of its subject, for `OpenAI-Safety-Identifier`.
    #[must_use]
    pub fn safety_identifier(&self) -> String {
        let subject = self.live.grant().subject.as_str().as_bytes();
        self.broker.parts.safety_hasher.hash(subject).to_hex()
    }

    /// Random bytes, for masks and ids.
    pub fn fill(&self, buffer: &mut [u8]) {
        self.broker.parts.ids.fill(buffer);
    }

    /// Counts what one event said was used; ends the session where its budget
    /// is used up. Gives the bound it is near to, the first time it is.
    pub fn measure(&self, reading: &Reading) -> Option<(&'static str, u8)> {
        self.count(&reading.model, reading.usage)
    }

    /// Counts the time since it was last counted, and holds it against the
    /// budget.
    pub fn tick(&self) -> Option<(&'static str, u8)> {
        self.count(NO_MODEL, Usage::default())
    }

    /// Whether time alone can use its budget up, so that [`Opened::tick`] has
    /// to be called every few seconds.
    #[must_use]
    pub fn needs_ticks(&self) -> bool {
        self.live.facts().budget.counts_time()
    }

    fn count(&self, model: &str, usage: Usage) -> Option<(&'static str, u8)> {
        let now = self.now();
        let (more, all) = self.live.count(usage, now);
        if !more.is_empty() {
            self.broker
                .parts
                .sessions
                .usage
                .add(&self.key(model, now), &more);
        }
        match self.standing(&all, now) {
            Standing::Within => None,
            Standing::Near(bound, part) => self.live.first_warning().then_some((bound, part)),
            Standing::Over(_) => {
                self.live.end(EndReason::Budget);
                None
            }
        }
    }

    fn standing(&self, all: &Usage, now: Timestamp) -> Standing {
        let facts = self.live.facts();
        if facts.budget.is_unbounded() {
            return Standing::Within;
        }
        let (ledger, day) = (&self.broker.parts.sessions.usage, day_of(now));
        let subject = Account::Subject(facts.grant.subject.clone());
        let role = Account::Role(facts.role.clone());
        let (of_subject, of_role) = (ledger.spent(&subject, day), ledger.spent(&role, day));
        facts.budget.standing(all, &of_subject, &of_role)
    }

    fn key(&self, model: &str, now: Timestamp) -> UsageKey {
        let facts = self.live.facts();
        UsageKey {
            hour: Hour::of(now),
            session: facts.id.to_string(),
            subject: facts.grant.subject.clone(),
            role: facts.role.clone(),
            profile: facts.grant.profile.clone(),
            mode: Some(facts.grant.mode),
            model: model.to_owned(),
            source: Source::Measured,
        }
    }

    /// Queues a record about the session: refused events, drift.
    pub fn note(&self, action: Action, facts: Vec<(&'static str, String)>) {
        let mut event = self.event(action);
        event.facts.extend(facts);
        drop(self.broker.parts.audit.append(event));
    }

    /// Records something about the session, durably.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when the trail can't be written.
    pub async fn record(
        &self,
        action: Action,
        facts: Vec<(&'static str, String)>,
    ) -> Result<(), Refusal> {
        let mut event = self.event(action);
        event.facts.extend(facts);
        let durable = self.broker.parts.audit.append(event).await;
        durable
            .map(drop)
            .map_err(|error| audit_unavailable(&error.to_string()))
    }

    pub(super) async fn record_start(&self, request: &Arc<RequestFacts>) -> Result<(), Refusal> {
        let mut event = self.event(Action::SessionStart);
        event.request = Some(request.clone());
        let ends = self.live.facts().ends_at;
        event.facts.push(("ends_at", ends.to_string()));
        let durable = self.broker.parts.audit.append(event).await;
        durable
            .map(drop)
            .map_err(|error| audit_unavailable(&error.to_string()))
    }

    /// Records the end, durably; what it held is free then.
    pub async fn close(mut self, reason: EndReason, facts: Vec<(&'static str, String)>) {
        let event = self.finish(reason, facts);
        let grant = self.live.grant().id.clone();
        let ended = self
            .broker
            .parts
            .grants
            .apply(&grant, GrantEvent::End)
            .await;
        if let Err(error) = ended {
            // Time moves the grant on by itself; the trail has the truth.
            drop(error);
        }
        if let Some(event) = event {
            // Nobody waits for an answer that could be withheld.
            let _ = self.broker.parts.audit.append(event).await;
        }
    }

    /// Leaves the time until now uncounted: nobody knows whether it was live.
    pub fn skip_time(&self) {
        self.live.skip_to(self.now());
    }

    /// Lets go of a session that another replica carries on. It counts what is
    /// used from where the store says, so nothing more is counted here; and it
    /// speaks of the caller's place again within seconds.
    pub async fn hand_over(mut self, facts: Vec<(&'static str, String)>) {
        self.open = false;
        self.live.end(EndReason::TakenOver);
        self.broker.parts.sessions.live.leave(self.live.id());
        self.place = None;
        let mut event = self.event(Action::SessionTakeover);
        event.facts.push(("part", "gave_up".to_owned()));
        event.facts.extend(facts);
        // Nobody waits for an answer that could be withheld.
        let _ = self.broker.parts.audit.append(event).await;
    }

    /// Lets go of a session that never was.
    pub(super) fn forget(mut self) {
        self.open = false;
        self.broker.parts.sessions.live.leave(self.live.id());
        self.place = None;
    }

    fn finish(
        &mut self,
        reason: EndReason,
        facts: Vec<(&'static str, String)>,
    ) -> Option<AuditEvent> {
        if !std::mem::replace(&mut self.open, false) {
            return None;
        }
        self.tick();
        self.live.end(reason);
        self.broker.parts.sessions.live.leave(self.live.id());
        self.place = None;
        let reason = self.live.end_reason().unwrap_or(reason);
        let mut event = self.event(Action::SessionEnd);
        event.facts.push(("reason", reason.to_string()));
        event.facts.extend(usage_facts(&self.live.usage()));
        event.facts.extend(facts);
        Some(event)
    }

    fn event(&self, action: Action) -> AuditEvent {
        let mut event = AuditEvent::outcome(self.now(), action, Outcome::Success);
        event.grant = Some(self.live.facts().grant.clone());
        event.facts = vec![("session", self.live.id().to_string())];
        event
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(event) = self.finish(EndReason::ClientLost, Vec::new()) {
            drop(self.broker.parts.audit.append(event));
        }
    }
}

fn usage_facts(usage: &Usage) -> Vec<(&'static str, String)> {
    let tokens = &usage.tokens;
    vec![
        ("live_ms", usage.live_ms.to_string()),
        ("responses", usage.responses.to_string()),
        ("transcriptions", usage.transcriptions.to_string()),
        ("input_tokens", tokens.input().to_string()),
        ("output_tokens", tokens.output().to_string()),
        ("cost_usd", usage.cost.to_string()),
        ("unpriced", usage.unpriced.to_string()),
    ]
}
