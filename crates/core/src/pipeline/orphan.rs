//! Sessions whose process ended before they did.

use std::sync::Arc;

use super::broker::Broker;
use crate::{
    audit::{Action, AuditEvent, Outcome},
    grant::GrantEvent,
    ids::{GrantId, LiveId},
    live::EndReason,
};

impl Broker {
    /// Records the end of a session that an earlier process left behind, and
    /// that could not be carried on. What it used after that process ended is
    /// not known.
    pub async fn record_orphan(
        &self,
        session: &LiveId,
        grant: &GrantId,
        facts: Vec<(&'static str, String)>,
    ) {
        let parts = &self.parts;
        let ended = parts.grants.apply(grant, GrantEvent::End).await;
        let mut event =
            AuditEvent::outcome(parts.clock.now(), Action::SessionEnd, Outcome::Success);
        // Where the registry can't tell, the record names the grant by itself.
        event.grant = ended.ok().flatten().map(Arc::new);
        event.facts = vec![
            ("session", session.to_string()),
            ("grant", grant.to_string()),
            ("reason", EndReason::Orphaned.to_string()),
        ];
        event.facts.extend(facts);
        // Nobody waits for an answer that could be withheld.
        let _ = parts.audit.append(event).await;
    }
}
