//! Live sessions: what is asked, and what is answered.

use hallpass_core::{Timestamp, live::LiveView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::usage::UsageAnswer;

/// A live session.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionAnswer {
    /// Its id.
    #[schema(example = "ls_0f3b5c6d7e8f90123456789abcdef012")]
    pub id: String,
    /// The grant it was opened with.
    pub grant: String,
    /// That grant's lineage.
    pub lineage: String,
    /// Whose it is.
    pub subject: String,
    /// The role that allowed it.
    pub role: String,
    /// The interview it belongs to.
    pub session_id: Option<String>,
    /// Its profile.
    pub profile: String,
    /// `relay` or `call`.
    #[schema(example = "relay")]
    pub mode: &'static str,
    /// Its model.
    pub model: Option<String>,
    /// OpenAI's id of it, once known.
    pub upstream_id: Option<String>,
    /// When it began, Unix seconds.
    pub started_at: i64,
    /// When it ends at the latest, Unix seconds.
    pub ends_at: i64,
    /// Until when its lease lasts, Unix seconds; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<i64>,
    /// Why it was ended; absent while nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<&'static str>,
    /// What it used so far.
    pub usage: UsageAnswer,
}

impl From<&LiveView> for SessionAnswer {
    fn from(session: &LiveView) -> Self {
        let grant = &session.grant;
        Self {
            id: session.id.to_string(),
            grant: grant.id.to_string(),
            lineage: grant.lineage.to_string(),
            subject: grant.subject.to_string(),
            role: session.role.to_string(),
            session_id: grant.session_id.as_ref().map(ToString::to_string),
            profile: grant.profile.to_string(),
            mode: grant.mode.into(),
            model: session.model.clone(),
            upstream_id: session.upstream_id.clone(),
            started_at: session.started_at.as_second(),
            ends_at: session.ends_at.as_second(),
            lease_until: session.lease_until.map(Timestamp::as_second),
            end_reason: session.end_reason.map(Into::into),
            usage: (&session.usage).into(),
        }
    }
}

/// Live sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    /// The sessions.
    pub data: Vec<SessionAnswer>,
}

/// Body of `POST /api/admin/sessions/{id}/end`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EndRequest {
    /// Why, for the trail.
    #[schema(example = "asked by the candidate")]
    pub reason: Option<String>,
}

/// Answer of `POST /api/sessions/{id}/renew`.
#[derive(Debug, Serialize, ToSchema)]
pub struct RenewAnswer {
    /// The live session's id.
    pub id: String,
    /// Until when its lease lasts, Unix seconds.
    #[schema(example = 1_795_300_060)]
    pub lease_until: i64,
    /// When it ends at the latest, Unix seconds.
    #[schema(example = 1_795_301_800)]
    pub ends_at: i64,
}

impl RenewAnswer {
    /// The answer for a session whose lease was renewed.
    #[must_use]
    pub fn new(session: &LiveView, until: Timestamp) -> Self {
        Self {
            id: session.id.to_string(),
            lease_until: until.as_second(),
            ends_at: session.ends_at.as_second(),
        }
    }
}
