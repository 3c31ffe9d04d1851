//! Live sessions and usage: what is asked, and what is answered.

use hallpass_core::{
    Timestamp,
    live::LiveView,
    usage::{Source, Usage, UsageTotal},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// What was used, and what it cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageAnswer {
    /// How long it was live, in seconds.
    pub live_seconds: u64,
    /// Responses that ended, cancelled and failed ones included.
    pub responses: u64,
    /// Transcriptions that ended.
    pub transcriptions: u64,
    /// Input tokens by kind; cached ones are a part of these.
    pub input: TokenCounts,
    /// Of the input, what was cached.
    pub cached: TokenCounts,
    /// Output tokens by kind.
    pub output: TokenCounts,
    /// Audio transcribed by the second, in milliseconds.
    pub transcribed_ms: u64,
    /// What is known of the cost, in dollars, to the billionth.
    #[schema(example = "0.012345000")]
    pub cost_usd: String,
    /// Responses and transcriptions that are not in `cost_usd` because their
    /// cost is not known.
    pub unpriced: u64,
}

/// Tokens by kind.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenCounts {
    /// As text.
    pub text: u64,
    /// As audio.
    pub audio: u64,
    /// As images.
    pub image: u64,
}

impl From<&Usage> for UsageAnswer {
    fn from(usage: &Usage) -> Self {
        let tokens = &usage.tokens;
        let counts = |text, audio, image| TokenCounts { text, audio, image };
        Self {
            live_seconds: usage.live_ms / 1000,
            responses: usage.responses,
            transcriptions: usage.transcriptions,
            input: counts(tokens.input_text, tokens.input_audio, tokens.input_image),
            cached: counts(tokens.cached_text, tokens.cached_audio, tokens.cached_image),
            output: counts(tokens.output_text, tokens.output_audio, 0),
            transcribed_ms: usage.transcribed_ms,
            cost_usd: usage.cost.to_string(),
            unpriced: usage.unpriced,
        }
    }
}

/// The usage of one group.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageGroup {
    /// The group: a session's id, a subject, a day.
    #[schema(example = "user-42")]
    pub group: String,
    /// `measured` by Hallpass, or `reported` by pages.
    #[schema(example = "measured")]
    pub source: &'static str,
    /// How many sessions it was.
    pub sessions: u64,
    /// What they used.
    #[serde(flatten)]
    pub usage: UsageAnswer,
}

impl From<&UsageTotal> for UsageGroup {
    fn from(total: &UsageTotal) -> Self {
        Self {
            group: total.group.clone(),
            source: match total.source {
                Source::Measured => "measured",
                Source::Reported => "reported",
            },
            sessions: total.sessions,
            usage: (&total.usage).into(),
        }
    }
}

/// Answer of `GET /api/admin/usage`.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageReport {
    /// What it is added up by.
    #[schema(example = "subject")]
    pub by: &'static str,
    /// The groups, the dearest first.
    pub data: Vec<UsageGroup>,
}
