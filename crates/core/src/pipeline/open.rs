//! From a pass to a live session: every check, once, and nothing upstream yet.

use std::{sync::Arc, time::Duration};

use super::{
    broker::{Broker, outcome_of},
    opened::Opened,
    revoked,
};
use crate::{
    Timestamp,
    anomaly::Anomaly,
    audit::{Action, AuditEvent},
    code::Code,
    concurrency::Lease,
    grant::{Grant, GrantEvent, GrantState, Mode},
    hold::Hold,
    ids::{CredentialId, LineageId, LiveId},
    live::{LiveFacts, LiveSession},
    pass::{Pass, PassRecord, Spent},
    ports::StoreError,
    profile::{Profile, SessionConfig},
    refusal::Refusal,
    request::RequestFacts,
    role::Role,
    usage::{Account, Standing, Usage, day_of},
};

/// How a client comes with a pass.
#[derive(Debug, Clone, Copy)]
pub struct PassUse<'a> {
    /// What it sent as a client secret.
    pub token: &'a str,
    /// The way it came.
    pub mode: Mode,
    /// The model it named, if any.
    pub model: Option<&'a str>,
}

/// A pass that was checked, and what it opens.
struct Checked {
    grant: Grant,
    profile: Arc<Profile>,
    role: Arc<Role>,
    session: SessionConfig,
}

impl Broker {
    /// Uses up a pass and enters its session as live.
    ///
    /// The start is durable in the trail when this returns; nothing has been
    /// dialled. The caller carries the session and must end with
    /// [`Opened::close`].
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded: unknown, used before, expired, revoked, for
    /// another mode or model, over a limit or a budget.
    pub async fn open_session(
        self: &Arc<Self>,
        request: Arc<RequestFacts>,
        ask: &PassUse<'_>,
    ) -> Result<Opened, Refusal> {
        let pass = match Pass::parse(ask.token) {
            Ok(pass) => pass,
            Err(error) => {
                let refusal = invalid_pass().internal(error.to_string());
                return Err(self.refuse(request, Action::SessionStart, refusal).await);
            }
        };
        let opened = self.open_checked(&request, &pass, ask).await;
        match opened {
            Ok(opened) => Ok(opened),
            Err(refusal) => Err(self.refuse_pass(request, &pass, refusal).await),
        }
    }

    async fn open_checked(
        self: &Arc<Self>,
        request: &Arc<RequestFacts>,
        pass: &Pass,
        ask: &PassUse<'_>,
    ) -> Result<Opened, Refusal> {
        if let Some(refusal) = self.stale() {
            return Err(refusal);
        }
        let checked = self.check_pass(request, pass, ask).await?;
        let now = self.parts.clock.now();
        self.within_budget(&checked.role, &checked.grant.subject, now)?;
        let id = self.parts.ids.live_id();
        let ends_at = ends_at(&checked.profile, &checked.role, now);
        let place = self.take_place(&checked, &id, ends_at, now).await?;
        self.spend(request, &checked.grant).await?;
        self.enter(request, checked, (id, now, ends_at), place)
            .await
    }

    async fn check_pass(
        &self,
        request: &Arc<RequestFacts>,
        pass: &Pass,
        ask: &PassUse<'_>,
    ) -> Result<Checked, Refusal> {
        let passes = &self.parts.sessions.passes;
        let record = passes
            .find(pass.grant())
            .await
            .map_err(|error| unread(&error))?;
        let hash = pass.hash(&self.parts.sessions.pass_hasher);
        let record = record
            .filter(|record| record.hash == hash)
            .ok_or_else(invalid_pass)?;
        let grant = self.parts.grants.find(pass.grant()).await;
        let grant = grant
            .map_err(|error| unread(&error))?
            .ok_or_else(invalid_pass)?;
        self.usable(request, &grant)?;
        if grant.mode != ask.mode {
            let text = format!("This secret is for mode \"{}\".", grant.mode);
            return Err(Refusal::new(Code::ModeNotAllowed, text));
        }
        let policy = self.policy();
        let profile = policy
            .profiles
            .get(&grant.profile)
            .ok_or_else(withdrawn)?
            .clone();
        let role = policy
            .roles
            .get(&record.role)
            .ok_or_else(withdrawn)?
            .clone();
        let allowed = profile.modes.contains(&ask.mode) && role.may_use(&profile.name);
        if !allowed || !role.may_use_mode(ask.mode) {
            return Err(withdrawn());
        }
        let session = session_of(&record, &profile)?;
        if ask
            .model
            .is_some_and(|model| session.model() != Some(model))
        {
            let text =
                "This secret is for another model. Leave \"model\" out, or name the profile's.";
            return Err(Refusal::new(Code::ModelNotAllowed, text).member("model"));
        }
        Ok(Checked {
            grant,
            profile,
            role,
            session,
        })
    }

    /// Whether a grant's pass may still be used.
    fn usable(&self, request: &Arc<RequestFacts>, grant: &Grant) -> Result<(), Refusal> {
        if let Some(hit) = self.grant_hit(grant) {
            return Err(revoked::refusal(&hit));
        }
        match grant.state_at(self.parts.clock.now()) {
            GrantState::Active => Ok(()),
            GrantState::Revoked => Err(Refusal::new(
                Code::GrantRevoked,
                "The secret was revoked. Ask for another, if you still may.",
            )),
            GrantState::Expired => Err(Refusal::new(
                Code::ExpiredCredential,
                "The secret's time is over. Ask for another.",
            )),
            GrantState::Connected | GrantState::Ended => Err(self.reused(request, grant)),
        }
    }

    /// A second use: two hold what one should.
    fn reused(&self, request: &Arc<RequestFacts>, grant: &Grant) -> Refusal {
        let about = grant.id.to_string();
        let now = self.parts.clock.now();
        if self.watch.is_news(Anomaly::PassReused, &about, now) {
            self.tell(Anomaly::PassReused, &about, Some(request), None);
        }
        let text = "The secret was used before; each opens one session. Ask for another.";
        Refusal::new(Code::PassUsed, text)
    }

    async fn spend(&self, request: &Arc<RequestFacts>, grant: &Grant) -> Result<(), Refusal> {
        let spent = self.parts.sessions.passes.spend(&grant.id).await;
        match spent.map_err(|error| unread(&error))? {
            Spent::First => Ok(()),
            Spent::Again => Err(self.reused(request, grant)),
            Spent::Unknown => Err(invalid_pass()),
        }
    }

    async fn take_place(
        &self,
        checked: &Checked,
        id: &LiveId,
        ends_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Hold>, Refusal> {
        let Some(limit) = checked.role.limits.concurrent_sessions else {
            return Ok(None);
        };
        let lease = Lease {
            holder: checked.grant.subject.clone(),
            lineage: LineageId::of_live(id),
            until: ends_at,
        };
        let leases = &self.parts.sessions.leases;
        match leases
            .take(&lease, limit, now)
            .await
            .map_err(|error| unread(&error))?
        {
            Ok(()) => {
                let leases = leases.clone();
                Ok(Some(Hold::new(move || {
                    leases.release(&lease.holder, &lease.lineage);
                })))
            }
            Err(_) => {
                let text = format!(
                    "This caller has {limit} live sessions, which is as many as its role allows at once. End one of them first."
                );
                Err(Refusal::new(Code::TooManySessions, text).retry_after(Duration::from_secs(5)))
            }
        }
    }

    async fn enter(
        self: &Arc<Self>,
        request: &Arc<RequestFacts>,
        checked: Checked,
        (id, now, ends_at): (LiveId, Timestamp, Timestamp),
        place: Option<Hold>,
    ) -> Result<Opened, Refusal> {
        let Checked {
            grant,
            profile,
            role,
            session,
        } = checked;
        let connected = self
            .parts
            .grants
            .apply(&grant.id, GrantEvent::Connect)
            .await;
        let grant = connected.map_err(|error| unread(&error))?.unwrap_or(grant);
        let live = Arc::new(LiveSession::new(LiveFacts {
            id,
            grant: Arc::new(grant),
            role: role.name.clone(),
            budget: role.budget,
            model: session.model().map(str::to_owned),
            started_at: now,
            ends_at,
            lease_seconds: profile.live.lease_seconds,
        }));
        if !self.parts.sessions.live.enter(live.clone()) {
            return Err(Refusal::new(
                Code::ShuttingDown,
                "The server is stopping. Connect again with a new secret.",
            ));
        }
        let opened = Opened::new(self.clone(), live, profile, session, place);
        // Whoever revoked between the check and the entry did not see it.
        if let Some(hit) = self.grant_hit(opened.live().grant()) {
            let refusal = revoked::refusal(&hit);
            opened.forget();
            return Err(refusal);
        }
        opened.record_start(request).await?;
        Ok(opened)
    }

    /// Refuses whoever has used up a day's budget.
    pub(super) fn within_budget(
        &self,
        role: &Role,
        subject: &crate::ids::Subject,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if role.budget.is_unbounded() {
            return Ok(());
        }
        let (usage, day) = (&self.parts.sessions.usage, day_of(now));
        let of_subject = usage.spent(&Account::Subject(subject.clone()), day);
        let of_role = usage.spent(&Account::Role(role.name.clone()), day);
        match role
            .budget
            .standing(&Usage::default(), &of_subject, &of_role)
        {
            Standing::Over(bound) => {
                let text =
                    format!("The budget \"{bound}\" is used up. It begins anew at midnight UTC.");
                Err(Refusal::new(Code::BudgetExhausted, text))
            }
            Standing::Within | Standing::Near(..) => Ok(()),
        }
    }

    /// Records that a pass opened nothing.
    async fn refuse_pass(
        &self,
        request: Arc<RequestFacts>,
        pass: &Pass,
        refusal: Refusal,
    ) -> Refusal {
        if refusal.code == Code::AuditUnavailable {
            return refusal;
        }
        let mut event = AuditEvent::outcome(
            self.parts.clock.now(),
            Action::SessionStart,
            outcome_of(&refusal),
        );
        event.request = Some(request);
        event.credential = CredentialId::new(pass.grant().as_str()).ok();
        self.recorded(event, refusal).await
    }
}

/// When a session ends at the latest.
fn ends_at(profile: &Profile, role: &Role, now: Timestamp) -> Timestamp {
    let most = profile.live.max_session_seconds;
    let most = role
        .max_session_seconds
        .map_or(most, |limit| limit.min(most));
    now.saturating_add(Duration::from_secs(most.into()))
        .unwrap_or(Timestamp::MAX)
}

/// The session of a pass: the profile's own where nothing was changed in it,
/// so that thousands of sessions share one.
fn session_of(record: &PassRecord, profile: &Profile) -> Result<SessionConfig, Refusal> {
    if record.session == profile.session.as_json() {
        return Ok(profile.session.clone());
    }
    let read = serde_json::from_str(&record.session).ok();
    read.and_then(|members| SessionConfig::new(members).ok())
        .ok_or_else(|| {
            Refusal::new(
                Code::Internal,
                "The secret's session can't be read. Ask for another.",
            )
            .internal("the kept session of a pass is not what was written")
        })
}

/// Says no more than that it is no good: unknown, forged and cut look alike.
fn invalid_pass() -> Refusal {
    Refusal::new(
        Code::InvalidCredential,
        "The secret is not valid here. Ask for another.",
    )
}

fn withdrawn() -> Refusal {
    Refusal::new(
        Code::ProfileNotAllowed,
        "The profile of this secret is not offered any more. Ask for another.",
    )
}

fn unread(error: &StoreError) -> Refusal {
    Refusal::new(
        Code::StoreUnavailable,
        "The server can't reach its records now. Try again with a new secret.",
    )
    .internal(error.to_string())
    .retry_after(Duration::from_secs(1))
}
