//! A record as it is read back.

use std::{collections::BTreeMap, net::IpAddr};

use hallpass_core::{
    audit::{Action, Phase},
    caller::Scheme,
    grant::{Grant, Mode},
};
use jiff::Timestamp;
use serde::Deserialize;

/// How a stored record's deed went.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum OutcomeKind {
    /// Announced only.
    Pending,
    /// Done.
    Success,
    /// Refused by a rule.
    Refused,
    /// Failed.
    Failed,
    /// The caller went away.
    Abandoned,
}

/// A stored announcement of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredDraft {
    /// The grant it was to be.
    pub id: String,
    /// Its lineage.
    pub lineage: String,
    /// The profile asked for.
    pub profile: String,
    /// The interview it was to be bound to.
    pub session_id: Option<String>,
    /// How the browser was to reach OpenAI.
    pub mode: Mode,
    /// The life asked for, in seconds.
    pub expires_after_seconds: u32,
}

/// What a call to OpenAI left behind, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StoredUpstream {
    /// The upstream's name.
    pub name: Option<String>,
    /// OpenAI's `x-request-id`.
    pub request_id: Option<String>,
    /// The status it answered.
    pub status: Option<u16>,
    /// Whether a secret may exist that nobody holds.
    pub orphan_possible: bool,
}

/// One record of a trail.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// Its number, from 0.
    pub sequence: u64,
    /// When it happened, to the millisecond.
    pub time: Timestamp,
    /// What was done: an [`Action`]'s name, or one of the trail's own.
    pub action: String,
    /// Announcement or result.
    pub phase: Phase,
    /// How it went.
    pub outcome: OutcomeKind,
    /// The stable code of a refusal or failure.
    pub code: Option<String>,
    /// Its finer reason.
    pub reason: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The request's method.
    pub method: Option<String>,
    /// The request's route.
    pub route: Option<String>,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// What it said it was sent by.
    pub user_agent: Option<String>,
    /// The page's origin.
    pub origin: Option<String>,
    /// Who did it.
    pub subject: Option<String>,
    /// How they proved it.
    pub scheme: Option<Scheme>,
    /// The credential they used, or that was refused.
    pub credential: Option<String>,
    /// Their roles.
    pub roles: Vec<String>,
    /// Their tenant.
    pub tenant: Option<String>,
    /// The interview it belongs to.
    pub session_id: Option<String>,
    /// The grant that was announced and not issued.
    pub draft: Option<StoredDraft>,
    /// The grant it is about, as it stood then.
    pub grant: Option<Grant>,
    /// What OpenAI's side left behind.
    pub upstream: Option<StoredUpstream>,
    /// Further facts, by name.
    pub facts: BTreeMap<String, String>,
    /// The record's line as stored, without its line feed.
    pub line: String,
}

impl StoredRecord {
    /// Reads a line, without checking its seal.
    ///
    /// # Errors
    ///
    /// Why the line is no record.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let json: RecordJson = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let line = str::from_utf8(line).map_err(|error| error.to_string())?;
        json.into_record(line.to_owned())
    }

    /// What was done, when it is one of the core's actions.
    #[must_use]
    pub fn known_action(&self) -> Option<Action> {
        self.action.parse().ok()
    }

    /// The id of the grant it is about or announces.
    #[must_use]
    pub fn grant_id(&self) -> Option<&str> {
        let issued = self.grant.as_ref().map(|grant| grant.id.as_str());
        issued.or_else(|| self.draft.as_ref().map(|draft| draft.id.as_str()))
    }
}

#[derive(Deserialize)]
struct RecordJson {
    time: i64,
    metadata: MetadataJson,
    #[serde(default)]
    actor: ActorJson,
    #[serde(default)]
    src_endpoint: EndpointJson,
    http_request: Option<HttpJson>,
    unmapped: UnmappedJson,
}

#[derive(Deserialize)]
struct MetadataJson {
    sequence: u64,
}

#[derive(Default, Deserialize)]
struct ActorJson {
    user: Option<UserJson>,
}

#[derive(Deserialize)]
struct UserJson {
    uid: Option<String>,
}

#[derive(Default, Deserialize)]
struct EndpointJson {
    ip: Option<IpAddr>,
}

#[derive(Deserialize)]
struct HttpJson {
    uid: String,
    http_method: String,
    url: UrlJson,
    user_agent: Option<String>,
    #[serde(default)]
    http_headers: Vec<HeaderJson>,
}

#[derive(Deserialize)]
struct UrlJson {
    path: String,
}

#[derive(Deserialize)]
struct HeaderJson {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct UnmappedJson {
    hallpass: OursJson,
}

#[derive(Deserialize)]
struct OursJson {
    action: String,
    phase: String,
    outcome: OutcomeKind,
    code: Option<String>,
    reason: Option<String>,
    credential: Option<CredentialJson>,
    #[serde(default)]
    roles: Vec<String>,
    tenant: Option<String>,
    session_id: Option<String>,
    draft: Option<StoredDraft>,
    grant: Option<Grant>,
    upstream: Option<StoredUpstream>,
    #[serde(default)]
    facts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct CredentialJson {
    scheme: Option<Scheme>,
    id: String,
}

impl RecordJson {
    fn into_record(self, line: String) -> Result<StoredRecord, String> {
        let ours = self.unmapped.hallpass;
        let time = Timestamp::from_millisecond(self.time).map_err(|error| error.to_string())?;
        let phase = ours.phase.parse();
        let phase = phase.map_err(|_| format!("the phase \"{}\" is not known", ours.phase))?;
        let (scheme, credential) = ours.credential.map_or((None, None), CredentialJson::split);
        let http = self.http_request.map(HttpJson::split);
        let (request_id, method, route, user_agent, origin) = http.unwrap_or_default();
        Ok(StoredRecord {
            sequence: self.metadata.sequence,
            time,
            action: ours.action,
            phase,
            outcome: ours.outcome,
            code: ours.code,
            reason: ours.reason,
            request_id,
            method,
            route,
            address: self.src_endpoint.ip,
            user_agent,
            origin,
            subject: self.actor.user.and_then(|user| user.uid),
            scheme,
            credential,
            roles: ours.roles,
            tenant: ours.tenant,
            session_id: ours.session_id,
            draft: ours.draft,
            grant: ours.grant,
            upstream: ours.upstream,
            facts: ours.facts,
            line,
        })
    }
}

impl CredentialJson {
    fn split(self) -> (Option<Scheme>, Option<String>) {
        (self.scheme, Some(self.id))
    }
}

type RequestParts = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

impl HttpJson {
    fn split(self) -> RequestParts {
        let mut headers = self.http_headers.into_iter();
        let origin = headers.find(|header| header.name == "Origin");
        (
            Some(self.uid),
            Some(self.http_method),
            Some(self.url.path),
            self.user_agent,
            origin.map(|header| header.value),
        )
    }
}
