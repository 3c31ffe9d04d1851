//! Answers that hold, or tell of, a grant.

use std::borrow::Cow;

use hallpass_core::{
    Timestamp,
    grant::{Grant, Mode},
    pipeline::Issued,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Answer of `POST /api/generate-client-secret`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientSecretAnswer<'a> {
    /// The grant's id.
    #[schema(example = "gr_0f3b5c6d7e8f90123456789abcdef012")]
    pub id: &'a str,
    /// The client secret, for the browser.
    pub value: &'a str,
    /// When the secret stops opening sessions, Unix seconds.
    #[schema(example = 1_795_300_060)]
    pub expires_at: i64,
    /// When to ask for the next one, Unix seconds.
    #[schema(example = 1_795_300_048)]
    pub refresh_after: i64,
    /// How the browser reaches OpenAI.
    #[schema(example = "direct")]
    pub mode: &'static str,
    /// The profile it was issued for.
    #[schema(example = "interview")]
    pub profile: &'a str,
    /// The interview it is bound to.
    pub session_id: Option<&'a str>,
    /// What it shares with its refreshes.
    pub lineage: &'a str,
    /// The session in short.
    pub session: SessionSummary<'a>,
    /// Where and how to connect.
    pub connect: Connect<'a>,
}

/// A session in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionSummary<'a> {
    /// `realtime` or `transcription`.
    #[schema(example = "realtime")]
    pub r#type: &'static str,
    /// The model.
    #[schema(example = "gpt-realtime-2.1")]
    pub model: Option<&'a str>,
    /// The voice.
    #[schema(example = "marin")]
    pub voice: Option<&'a str>,
}

/// The arguments of the browser's `new WebSocket(url, protocols)`; of a call
/// where its offer is posted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Connect<'a> {
    /// The address.
    #[schema(example = "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1")]
    pub url: &'a str,
    /// The subprotocols, the secret among them; none of a call.
    #[schema(value_type = Vec<String>)]
    pub protocols: Vec<Cow<'a, str>>,
}

impl<'a> ClientSecretAnswer<'a> {
    /// The answer that hands a secret out.
    #[must_use]
    pub fn new(issued: &'a Issued) -> Self {
        let grant = issued.grant();
        let session = issued.session();
        Self {
            id: grant.id.as_str(),
            value: issued.secret().expose(),
            expires_at: grant.expires_at.as_second(),
            refresh_after: grant.refresh_after.as_second(),
            mode: grant.mode.into(),
            profile: grant.profile.as_str(),
            session_id: grant.session_id.as_ref().map(|id| id.as_str()),
            lineage: grant.lineage.as_str(),
            session: SessionSummary {
                r#type: session.kind().into(),
                model: session.model(),
                voice: session.voice(),
            },
            connect: Connect {
                url: issued.connect_url(),
                protocols: protocols(issued),
            },
        }
    }
}

/// A call is made over HTTP and has none.
fn protocols(issued: &Issued) -> Vec<Cow<'_, str>> {
    if issued.grant().mode == Mode::Call {
        return Vec::new();
    }
    let secret = issued.secret().expose();
    vec![
        Cow::Borrowed("realtime"),
        Cow::Owned(["openai-insecure-api-key.", secret].concat()),
    ]
}

/// Answer of `POST /api/interview/realtime-token`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RealtimeTokenAnswer<'a> {
    /// The client secret, for the browser.
    pub token: &'a str,
    /// When it stops opening sessions, Unix seconds.
    #[schema(example = 1_795_300_060)]
    pub expires_at: i64,
    /// When to ask for the next one, Unix seconds.
    #[schema(example = 1_795_300_048)]
    pub refresh_after: i64,
    /// The grant's id.
    pub id: &'a str,
    /// The interview it is bound to.
    pub session_id: Option<&'a str>,
    /// The model.
    pub model: Option<&'a str>,
    /// Where to connect.
    pub url: &'a str,
}

impl<'a> RealtimeTokenAnswer<'a> {
    /// The answer that hands a secret out.
    #[must_use]
    pub fn new(issued: &'a Issued) -> Self {
        let grant = issued.grant();
        Self {
            token: issued.secret().expose(),
            expires_at: grant.expires_at.as_second(),
            refresh_after: grant.refresh_after.as_second(),
            id: grant.id.as_str(),
            session_id: grant.session_id.as_ref().map(|id| id.as_str()),
            model: issued.session().model(),
            url: issued.connect_url(),
        }
    }
}

/// Answer of `POST /api/setup/ai-sdk`: what Vercel's realtime hook asks for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AiSdkAnswer<'a> {
    /// The client secret, for the browser.
    pub token: &'a str,
    /// Where to connect.
    #[schema(example = "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1")]
    pub url: &'a str,
    /// When the secret stops opening sessions, Unix seconds.
    #[schema(example = 1_795_300_060)]
    pub expires_at: i64,
}

impl<'a> AiSdkAnswer<'a> {
    /// The answer that hands a secret out.
    #[must_use]
    pub fn new(issued: &'a Issued) -> Self {
        Self {
            token: issued.secret().expose(),
            url: issued.connect_url(),
            expires_at: issued.grant().expires_at.as_second(),
        }
    }
}

/// Answer of `POST /v1/realtime/client_secrets`, in OpenAI's shape.
#[derive(Debug, Serialize, ToSchema)]
pub struct DropInAnswer<'a> {
    /// The client secret, for the browser.
    pub value: &'a str,
    /// When it stops opening sessions, Unix seconds.
    #[schema(example = 1_795_300_060)]
    pub expires_at: i64,
    /// OpenAI's session, less what a browser may not see.
    #[schema(value_type = Object)]
    pub session: Map<String, Value>,
}

impl<'a> DropInAnswer<'a> {
    /// The answer that hands a secret out.
    #[must_use]
    pub fn new(issued: &'a Issued) -> Self {
        Self {
            value: issued.secret().expose(),
            expires_at: issued.grant().expires_at.as_second(),
            session: issued.visible_session(),
        }
    }
}

/// A grant as its caller may read it; never the secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantAnswer {
    /// The grant's id.
    pub id: String,
    /// What it shares with its refreshes.
    pub lineage: String,
    /// `active`, `connected`, `expired`, `revoked` or `ended`.
    #[schema(example = "active")]
    pub state: &'static str,
    /// Whom it was issued to.
    pub subject: String,
    /// The profile it was issued for.
    pub profile: String,
    /// How the browser reaches OpenAI.
    pub mode: &'static str,
    /// The interview it is bound to.
    pub session_id: Option<String>,
    /// When it was issued, Unix seconds.
    pub created_at: i64,
    /// When its secret stops opening sessions, Unix seconds.
    pub expires_at: i64,
    /// When to ask for the next one, Unix seconds.
    pub refresh_after: i64,
    /// The last four characters of its secret.
    pub secret_last4: String,
    /// The grant that took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// What only operators read.
    #[serde(flatten)]
    pub origin: Option<GrantOrigin>,
}

/// Where a grant came from; on the admin listener only.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantOrigin {
    /// The credential it was issued to.
    pub credential: String,
    /// The address it was asked for from.
    pub address: Option<String>,
    /// What the request said it was sent by.
    pub user_agent: Option<String>,
    /// The request that made it.
    pub request_id: String,
    /// OpenAI's id of the request that minted its secret.
    pub upstream_request_id: Option<String>,
}

impl GrantAnswer {
    /// The grant as it stands at a moment: a due one reads as expired.
    #[must_use]
    pub fn at(grant: &Grant, now: Timestamp) -> Self {
        Self {
            id: grant.id.to_string(),
            lineage: grant.lineage.to_string(),
            state: grant.state_at(now).into(),
            subject: grant.subject.to_string(),
            profile: grant.profile.to_string(),
            mode: grant.mode.into(),
            session_id: grant.session_id.as_ref().map(ToString::to_string),
            created_at: grant.created_at.as_second(),
            expires_at: grant.expires_at.as_second(),
            refresh_after: grant.refresh_after.as_second(),
            secret_last4: grant.secret_last4.clone(),
            superseded_by: grant.superseded_by.as_ref().map(ToString::to_string),
            origin: None,
        }
    }

    /// The same with what only operators read.
    #[must_use]
    pub fn in_full(grant: &Grant, now: Timestamp) -> Self {
        let origin = GrantOrigin {
            credential: grant.credential.to_string(),
            address: grant.address.map(|address| address.to_string()),
            user_agent: grant.user_agent.clone(),
            request_id: grant.request_id.to_string(),
            upstream_request_id: grant.upstream_request_id.clone(),
        };
        Self {
            origin: Some(origin),
            ..Self::at(grant, now)
        }
    }
}

/// A page of grants, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantPage {
    /// The grants.
    pub data: Vec<GrantAnswer>,
    /// Give this as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
