//! `[profiles.<name>]`: what a session is made of.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::role::RateLimits;
use crate::hidden;

/// A session configuration and what callers may change of it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The mode of callers that ask for none.
    #[serde(default)]
    pub mode: Mode,
    /// The modes callers may ask for; absent: only `mode`.
    #[serde(default)]
    pub modes: Vec<Mode>,
    /// Seconds a client secret lives when the caller asks for none.
    #[serde(default = "default_expiry")]
    #[schemars(range(min = 10, max = 7200))]
    pub expires_after_seconds: u32,
    /// Longest life of a client secret a caller may ask for, in seconds.
    #[serde(default = "longest_expiry")]
    #[schemars(range(min = 10, max = 7200))]
    pub max_expires_after_seconds: u32,
    /// Seconds after its end in which a client secret may still be refreshed.
    #[serde(default = "default_grace")]
    #[schemars(range(min = 0, max = 3600))]
    pub refresh_grace_seconds: u32,
    /// Longest life of a client secret and all its refreshes, in seconds.
    #[serde(default = "longest_lineage")]
    #[schemars(range(min = 10, max = 86_400))]
    pub max_lineage_seconds: u32,
    /// Longest live session in seconds (relay and call modes).
    #[serde(default = "default_session")]
    #[schemars(range(min = 1, max = 3600))]
    pub max_session_seconds: u64,
    /// Seconds between renewals of a live session; 0: no lease.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3600))]
    pub lease_seconds: u64,
    /// Seconds in which nobody says anything before a live session is ended; 0:
    /// never.
    #[serde(default = "default_idle")]
    #[schemars(range(min = 0, max = 3600))]
    pub idle_seconds: u64,
    /// Client events that may pass a relay; absent: all that the guard allows.
    pub events: Option<Vec<String>>,
    /// Whether clients may add items that speak as system or developer.
    #[serde(default)]
    pub system_items: bool,
    /// What becomes of a call whose session differs from the profile.
    #[serde(default)]
    pub on_drift: OnDrift,
    /// Whether a request must name the app's session id.
    #[serde(default)]
    pub require_session_id: bool,
    /// Session members callers may set, as dotted paths.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// Members at the top of the session told to the browser besides type, model and voice.
    #[serde(default)]
    pub echo: Vec<String>,
    /// Limits over all callers of this profile.
    #[serde(default)]
    pub limits: RateLimits,
    /// The session sent to OpenAI.
    pub session: SessionTemplate,
}

/// What becomes of a call whose session differs from the profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// It is set back.
    #[default]
    Correct,
    /// It is hung up.
    HangUp,
}

impl OnDrift {
    /// The name used in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Correct => "correct",
            Self::HangUp => "hang_up",
        }
    }
}

/// How the browser reaches OpenAI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The browser holds OpenAI's own client secret.
    #[default]
    Direct,
    /// The WebSocket runs through Hallpass.
    Relay,
    /// The WebRTC offer goes through Hallpass.
    Call,
}

impl Mode {
    /// The name used in configuration and API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relay => "relay",
            Self::Call => "call",
        }
    }
}

/// The type of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Speech to speech.
    Realtime,
    /// Speech to text.
    Transcription,
}

impl Kind {
    /// The value of `session.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Transcription => "transcription",
        }
    }
}

/// A session object in OpenAI's own words.
///
/// `Debug` and `Serialize` hide the credentials of its tools.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SessionTemplate(#[schemars(with = "BTreeMap<String, Value>")] Map<String, Value>);

impl SessionTemplate {
    /// Every member, tool credentials included: for OpenAI only.
    pub fn expose(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The session's type, where it is a known one.
    pub fn kind(&self) -> Option<Kind> {
        match self.0.get("type")?.as_str()? {
            "realtime" => Some(Kind::Realtime),
            "transcription" => Some(Kind::Transcription),
            _ => None,
        }
    }

    /// A member of the session that is text, such as `model`.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member)?.as_str()
    }
}

impl From<Map<String, Value>> for SessionTemplate {
    fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }
}

impl fmt::Debug for SessionTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hidden::session(&self.0).fmt(f)
    }
}

impl Serialize for SessionTemplate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        hidden::session(&self.0).serialize(serializer)
    }
}

fn default_expiry() -> u32 {
    60
}

fn longest_expiry() -> u32 {
    7200
}

fn default_grace() -> u32 {
    10
}

fn longest_lineage() -> u32 {
    4 * 3600
}

fn default_idle() -> u64 {
    600
}

fn default_session() -> u64 {
    1800
}
