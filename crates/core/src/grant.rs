//! The record of one issued credential.

mod life;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    ids::{CredentialId, GrantId, LineageId, ProfileName, RequestId, SessionId, Subject},
};

pub use life::{GrantEvent, LONGEST_SESSION};

/// How the browser reaches OpenAI, and so what can be promised.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Mode {
    /// The browser holds OpenAI's `ek_` and speaks to OpenAI alone.
    Direct,
    /// The browser's WebSocket runs through Hallpass.
    Relay,
    /// Hallpass makes the WebRTC call on the browser's behalf.
    Call,
}

/// Where a grant is in its life.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum GrantState {
    /// Issued, and its secret may still open a session.
    Active,
    /// A session was opened with it.
    Connected,
    /// Its secret's time is over.
    Expired,
    /// Withdrawn; nothing leads out of this state.
    Revoked,
    /// Its session is over.
    Ended,
}

/// A grant that is asked for but not issued yet: what an intent announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantDraft {
    /// The grant it will be.
    pub id: GrantId,
    /// What it will share with its refreshes.
    pub lineage: LineageId,
    /// The profile asked for.
    pub profile: ProfileName,
    /// The interview it is to be bound to.
    pub session_id: Option<SessionId>,
    /// How the browser will reach OpenAI.
    pub mode: Mode,
    /// How long its secret will live, in seconds.
    pub expires_after_seconds: u32,
}

/// One issued credential. The secret itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// This grant.
    pub id: GrantId,
    /// What it shares with its refreshes.
    pub lineage: LineageId,
    /// Where it is in its life.
    pub state: GrantState,
    /// Whom it was issued to.
    pub subject: Subject,
    /// The credential they used.
    pub credential: CredentialId,
    /// The profile it was issued for.
    pub profile: ProfileName,
    /// The interview it is bound to.
    pub session_id: Option<SessionId>,
    /// How the browser reaches OpenAI.
    pub mode: Mode,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When its secret stops opening sessions.
    pub expires_at: Timestamp,
    /// When the page should ask for the next one.
    pub refresh_after: Timestamp,
    /// The last four characters of its secret.
    pub secret_last4: String,
    /// The keyed hash of its secret, hexadecimal.
    pub secret_hash: String,
    /// Where the request came from.
    pub address: Option<std::net::IpAddr>,
    /// What the request said it was sent by.
    pub user_agent: Option<String>,
    /// The request that made it.
    pub request_id: RequestId,
    /// OpenAI's id of the request that minted its secret.
    pub upstream_request_id: Option<String>,
    /// What it refreshes; none for the first of a lineage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_of: Option<RefreshOf>,
    /// The grant that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<GrantId>,
}

/// The grant another one took the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshOf {
    /// That grant.
    pub grant: GrantId,
    /// When the first grant of the lineage was issued.
    pub lineage_started_at: Timestamp,
}
