//! Live sessions of other replicas: seen, ended and renewed from here.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{EndReason, LiveFacts, LiveFilter, LiveSession};
use crate::{
    Timestamp,
    grant::Grant,
    ids::{LiveId, RevocationId, RoleName},
    ports::StoreError,
    usage::Usage,
};

/// A live session as it is at a moment, wherever it is carried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveView {
    /// Its id.
    pub id: LiveId,
    /// The grant it was opened with.
    pub grant: Grant,
    /// The role that allowed it.
    pub role: RoleName,
    /// Its model.
    pub model: Option<String>,
    /// OpenAI's id of it, once known.
    pub upstream_id: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// How long a renewal lasts, in seconds; none where there is no lease.
    pub lease_seconds: Option<u32>,
    /// Until when its lease lasts; none where there is no lease.
    pub lease_until: Option<Timestamp>,
    /// What it used so far.
    pub usage: Usage,
    /// Why it was ended; none while nobody did. Its client may not have been
    /// told yet.
    pub end_reason: Option<EndReason>,
}

impl LiveView {
    /// What other replicas need to know of it: nothing of the secret, and
    /// nothing of where its page is.
    #[must_use]
    pub fn for_peers(mut self) -> Self {
        self.grant.secret_hash.clear();
        self.grant.secret_last4.clear();
        self.grant.address = None;
        self.grant.user_agent = None;
        self
    }
}

impl LiveSession {
    /// The session as it is now.
    #[must_use]
    pub fn view(&self) -> LiveView {
        let LiveFacts {
            id,
            grant,
            role,
            budget: _,
            model,
            started_at,
            ends_at,
            lease_seconds,
        } = self.facts().clone();
        LiveView {
            id,
            grant: (*grant).clone(),
            role,
            model,
            upstream_id: self.upstream_id(),
            started_at,
            ends_at,
            lease_seconds,
            lease_until: self.lease_until(),
            usage: self.usage(),
            end_reason: self.end_reason(),
        }
    }
}

impl LiveFilter {
    /// Whether it asks for a session.
    #[must_use]
    pub fn asks_for(&self, view: &LiveView) -> bool {
        self.takes(&view.grant)
    }
}

/// What one replica asks of another that carries a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// To end it.
    End(EndReason),
    /// To renew its lease, as of a moment.
    Renew(Timestamp),
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obeyed {
    /// It was done; the session as it is then.
    Done(Box<LiveView>),
    /// Nobody carries the session any more.
    Gone,
}

/// What other replicas did about a revocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Live sessions they ended.
    pub ended: u64,
    /// Replicas that did not say in time that it is in force there; none where
    /// they can't be asked.
    pub silent: Option<u64>,
}

/// The other replicas, as far as live sessions go.
#[async_trait]
pub trait Peers: Send + Sync {
    /// The sessions others carry.
    async fn list(&self) -> Result<Vec<LiveView>, StoreError>;
    /// The session of an id that another carries: its own, or its grant's.
    async fn find(&self, id: &str) -> Result<Option<LiveView>, StoreError>;
    /// Has something done to a session another carries; returns once it is, or
    /// with an error when nothing is heard of it in time.
    async fn order(&self, session: &LiveView, order: Order) -> Result<Obeyed, StoreError>;
    /// Says to others that a revocation is in force here, and how many live
    /// sessions it ended. Unheard, they find it out by themselves.
    async fn reached(&self, revocation: &RevocationId, ended: u64);
    /// Waits until every other replica has said so of a revocation, for a
    /// second at most.
    async fn elsewhere(&self, revocation: &RevocationId) -> Elsewhere;
}

/// No other replica: all sessions are here.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPeers;

#[async_trait]
impl Peers for NoPeers {
    async fn list(&self) -> Result<Vec<LiveView>, StoreError> {
        Ok(Vec::new())
    }

    async fn find(&self, _: &str) -> Result<Option<LiveView>, StoreError> {
        Ok(None)
    }

    async fn order(&self, _: &LiveView, _: Order) -> Result<Obeyed, StoreError> {
        Ok(Obeyed::Gone)
    }

    async fn reached(&self, _: &RevocationId, _: u64) {}

    async fn elsewhere(&self, _: &RevocationId) -> Elsewhere {
        Elsewhere {
            ended: 0,
            silent: Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::tests::session;

    #[test]
    fn a_view_travels_and_says_nothing_of_the_secret() {
        let session = session(1, "a", Some(60));
        session.set_upstream_id("sess_1");
        let view = session.view().for_peers();
        let text = serde_json::to_string(&view).unwrap();
        assert_eq!(serde_json::from_str::<LiveView>(&text).unwrap(), view);
        assert_eq!(view.grant.secret_hash, "");
        assert_eq!(view.lease_until, session.lease_until());
    }
}
