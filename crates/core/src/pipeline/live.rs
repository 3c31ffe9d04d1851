//! Ending live sessions and renewing their leases, on request.

use std::{sync::Arc, time::Duration};

use super::{broker::Broker, steps::AuditSlip};
use crate::{
    Timestamp,
    code::Code,
    grant::Grant,
    live::{EndReason, LiveFilter, LiveView, Obeyed, Order},
    policy::MintAsk,
    ports::StoreError,
    refusal::Refusal,
};

impl Broker {
    /// The live sessions of all replicas, newest first.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], not recorded, when those of others can't be had: half a
    /// list would look like a whole one.
    pub async fn live_sessions(&self, filter: &LiveFilter) -> Result<Vec<LiveView>, Refusal> {
        let sessions = &self.parts.sessions;
        let others = sessions.peers.list().await;
        let others = others.map_err(|error| unheard(&error))?;
        let ours = sessions.live.list(filter);
        let mut all: Vec<LiveView> = ours.iter().map(|session| session.view()).collect();
        all.extend(others.into_iter().filter(|view| filter.asks_for(view)));
        all.sort_by(|a, b| (b.started_at, &b.id).cmp(&(a.started_at, &a.id)));
        Ok(all)
    }

    /// The live session of an id, its own or its grant's, wherever it is
    /// carried.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], not recorded: there is none, or others can't be asked.
    pub async fn live_session(&self, id: &str) -> Result<LiveView, Refusal> {
        let sessions = &self.parts.sessions;
        if let Some(session) = sessions.live.find(id) {
            return Ok(session.view());
        }
        let found = sessions.peers.find(id).await;
        let found = found.map_err(|error| unheard(&error))?;
        found.ok_or_else(no_such_session)
    }

    /// Does something to a session, here or where it is carried.
    async fn order(&self, view: &LiveView, order: Order) -> Result<LiveView, Refusal> {
        let sessions = &self.parts.sessions;
        if let Some(session) = sessions.live.get(&view.id) {
            sessions.live.obey(&view.id, order);
            return Ok(session.view());
        }
        match sessions.peers.order(view, order).await {
            Ok(Obeyed::Done(after)) => Ok(*after),
            Ok(Obeyed::Gone) => Err(no_such_session()),
            Err(error) => Err(unheard(&error)),
        }
    }
}

impl AuditSlip<'_> {
    /// Ends anyone's live session, and records it; the session as it is then.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded, when there is none, the replica that carries it
    /// does not answer, or the trail can't be written.
    pub async fn end_session(self, id: &str, reason: Option<String>) -> Result<LiveView, Refusal> {
        let ended = match self.broker.live_session(id).await {
            Ok(view) => {
                let order = Order::End(EndReason::Operator);
                self.broker.order(&view, order).await
            }
            Err(refusal) => Err(refusal),
        };
        let session = match ended {
            Ok(session) => session,
            Err(refusal) => return Err(self.refuse(refusal).await),
        };
        let mut facts = vec![("session", session.id.to_string())];
        facts.extend(reason.map(|reason| ("reason", reason)));
        self.done_to(Arc::new(session.grant.clone()), facts).await?;
        Ok(session)
    }

    /// Renews the lease of one of the caller's own live sessions; until when it
    /// lasts then. A caller who may not any more ends the session by asking.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], recorded: none of the caller's, no lease, or not allowed
    /// any more.
    pub async fn renew_session(self, id: &str) -> Result<(LiveView, Timestamp), Refusal> {
        match self.renewed(id).await {
            Ok((session, until)) => {
                let facts = vec![
                    ("session", session.id.to_string()),
                    ("lease_until", until.to_string()),
                ];
                self.done_to(Arc::new(session.grant.clone()), facts).await?;
                Ok((session, until))
            }
            Err(refusal) => Err(self.refuse(refusal).await),
        }
    }

    async fn renewed(&self, id: &str) -> Result<(LiveView, Timestamp), Refusal> {
        let session = self.broker.live_session(id).await?;
        if session.grant.subject != self.caller().subject {
            return Err(no_such_session());
        }
        if let Err(refusal) = self.still_allowed(&session.grant) {
            let order = Order::End(EndReason::LeaseRefused);
            // Where it can't be heard the lease runs out.
            let _ = self.broker.order(&session, order).await;
            return Err(refusal);
        }
        if session.end_reason.is_some() {
            return Err(nothing_to_renew("The session is over."));
        }
        if session.lease_seconds.is_none() {
            let text = "The session has no lease, so there is nothing to renew.";
            return Err(nothing_to_renew(text));
        }
        let now = self.broker.parts.clock.now();
        let after = self.broker.order(&session, Order::Renew(now)).await?;
        match after.lease_until {
            Some(until) if after.end_reason.is_none() => Ok((after, until)),
            _ => Err(nothing_to_renew("The session is over.")),
        }
    }

    /// Whether the caller could get this session's grant now.
    fn still_allowed(&self, grant: &Grant) -> Result<(), Refusal> {
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

fn nothing_to_renew(text: &'static str) -> Refusal {
    Refusal::new(Code::NothingToRenew, text)
}

/// Another replica may carry it, and can't be asked.
fn unheard(error: &StoreError) -> Refusal {
    let text = "The sessions of other replicas can't be reached now. Try again; to stop someone at once, revoke: that needs no replica to be heard.";
    Refusal::new(Code::StoreUnavailable, text)
        .internal(error.to_string())
        .retry_after(Duration::from_secs(1))
}
