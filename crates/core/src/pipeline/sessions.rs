//! What live sessions need of the broker.

use std::sync::Arc;

use crate::{
    grant::Mode,
    hash::Hasher,
    live::LiveSessions,
    pass::{PASS_RANDOM_BYTES, Pass, PassRecord},
    policy::Terms,
    ports::{Ids, Leases, Passes, Peers, UsageLedger},
    profile::{SessionConfig, SessionKind},
};

/// The parts of a broker that sessions through Hallpass need.
pub struct SessionParts {
    /// The sessions that are live in this process.
    pub live: Arc<LiveSessions>,
    /// The sessions that are live in other replicas.
    pub peers: Arc<dyn Peers>,
    /// Keeps passes.
    pub passes: Arc<dyn Passes>,
    /// Counts the live sessions of each caller.
    pub leases: Arc<dyn Leases>,
    /// Keeps what was used.
    pub usage: Arc<dyn UsageLedger>,
    /// Hashes passes.
    pub pass_hasher: Hasher,
    /// Where a browser reaches this server: `https://voice.example.com`.
    pub base_url: String,
}

impl SessionParts {
    /// Makes the pass of a grant, and what is kept of it.
    pub(super) fn issue(
        &self,
        ids: &dyn Ids,
        draft: &crate::grant::GrantDraft,
        terms: &Terms,
        expires_at: crate::Timestamp,
    ) -> (Pass, PassRecord) {
        let mut random = [0; PASS_RANDOM_BYTES];
        ids.fill(&mut random);
        let pass = Pass::generate(&draft.id, &random);
        let record = PassRecord {
            grant: draft.id.clone(),
            hash: pass.hash(&self.pass_hasher),
            role: terms.role.name.clone(),
            session: terms.session.as_json().to_owned(),
            expires_at,
        };
        (pass, record)
    }

    /// Where a browser connects with a pass.
    pub(super) fn connect_url(&self, mode: Mode, session: &SessionConfig) -> String {
        let base = self.base_url.trim_end_matches('/');
        if mode == Mode::Call {
            return format!("{base}/v1/realtime/calls");
        }
        // "http" is "ws" and "https" is "wss".
        let rest = base.strip_prefix("http").unwrap_or(base);
        match (session.kind(), session.model()) {
            (SessionKind::Realtime, Some(model)) => {
                format!("ws{rest}/v1/realtime?model={}", encoded(model))
            }
            _ => format!("ws{rest}/v1/realtime?intent=transcription"),
        }
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;

    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a String can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
