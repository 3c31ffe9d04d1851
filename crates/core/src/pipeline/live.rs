//! Ending live sessions and renewing their leases, on request.

use std::sync::Arc;

use super::steps::AuditSlip;
use crate::{
    Timestamp,
    code::Code,
    live::{EndReason, LiveSession},
    policy::MintAsk,
    refusal::Refusal,
};

impl AuditSlip<'_> {
    /// Ends anyone's live session, and records it; the session as it is then.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, when there is none or the trail can't be
    /// written.
    pub async fn end_session(
        self,
        id: &str,
        reason: Option<String>,
    ) -> Result<Arc<LiveSession>, Refusal> {
        let Some(session) = self.broker.parts.sessions.live.find(id) else {
            return Err(self.refuse(no_such_session()).await);
        };
        session.end(EndReason::Operator);
        let mut facts = vec![("session", session.id().to_string())];
        facts.extend(reason.map(|reason| ("reason", reason)));
        self.done_to(session.facts().grant.clone(), facts).await?;
        Ok(session)
    }

    /// Renews the lease of one of the caller's own live sessions; until when it
    /// lasts then. A caller who may not any more ends the session by asking.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded: none of the caller's, no lease, or not allowed
    /// any more.
    pub async fn renew_session(self, id: &str) -> Result<(Arc<LiveSession>, Timestamp), Refusal> {
        let caller = self.caller().subject.clone();
        let found = self.broker.parts.sessions.live.find(id);
        let Some(session) = found.filter(|session| session.grant().subject == caller) else {
            return Err(self.refuse(no_such_session()).await);
        };
        if let Err(refusal) = self.still_allowed(&session) {
            session.end(EndReason::LeaseRefused);
            return Err(self.refuse(refusal).await);
        }
        let now = self.broker.parts.clock.now();
        let Some(until) = session.renew(now) else {
            let text = match session.end_reason() {
                Some(_) => "The session is over.",
                None => "The session has no lease, so there is nothing to renew.",
            };
            return Err(self.refuse(Refusal::new(Code::NothingToRenew, text)).await);
        };
        let facts = vec![
            ("session", session.id().to_string()),
            ("lease_until", until.to_string()),
        ];
        self.done_to(session.facts().grant.clone(), facts).await?;
        Ok((session, until))
    }

    /// Whether the caller could get this session's grant now.
    fn still_allowed(&self, session: &LiveSession) -> Result<(), Refusal> {
        let grant = session.grant();
        let ask = MintAsk {
            profile: Some(grant.profile.to_string()),
            session_id: grant.session_id.clone(),
            mode: Some(grant.mode),
            ..MintAsk::default()
        };
        let terms = self.broker.policy().authorise(self.caller(), &ask)?;
        self.not_revoked(terms).map(drop)
    }
}

fn no_such_session() -> Refusal {
    Refusal::new(
        Code::NotFound,
        "There is no such live session, or it is not yours.",
    )
}
