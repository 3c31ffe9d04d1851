//! Operator-written session configurations.

use std::sync::Arc;

use serde_json::{Map, Value, value::RawValue};

use crate::{expiry, grant::Mode, ids::ProfileName, overrides::MemberPath};

/// What kind of OpenAI session a profile opens.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum SessionKind {
    /// Speech to speech.
    Realtime,
    /// Speech to text.
    Transcription,
}

/// A whole session configuration, with its JSON text made once.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    members: Arc<Map<String, Value>>,
    text: Arc<RawValue>,
    kind: SessionKind,
}

/// Why members are no session configuration.
#[derive(Debug, thiserror::Error)]
pub enum SessionConfigError {
    /// `type` is missing or unknown.
    #[error("session.type must be \"realtime\" or \"transcription\"")]
    Kind,
    /// A realtime session names no model.
    #[error("a realtime session needs a model")]
    Model,
    /// The members can't be written as JSON.
    #[error("the session can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl SessionConfig {
    /// Takes the members of a session as OpenAI knows them.
    ///
    /// # Errors
    ///
    /// [`SessionConfigError`] when the type is unknown or a realtime session
    /// names no model.
    pub fn new(members: Map<String, Value>) -> Result<Self, SessionConfigError> {
        let kind = members
            .get("type")
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok())
            .ok_or(SessionConfigError::Kind)?;
        if kind == SessionKind::Realtime && !members.get("model").is_some_and(Value::is_string) {
            return Err(SessionConfigError::Model);
        }
        let text = serde_json::value::to_raw_value(&members)?;
        Ok(Self {
            members: Arc::new(members),
            text: Arc::from(text),
            kind,
        })
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The whole session as JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.text.get()
    }

    /// The whole session as raw JSON.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        (*self.text).to_owned()
    }

    /// The kind of session.
    #[must_use]
    pub const fn kind(&self) -> SessionKind {
        self.kind
    }

    /// The model: of a transcription session, the transcriber's.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        let model = match self.kind {
            SessionKind::Realtime => self.members.get("model"),
            SessionKind::Transcription => {
                self.pointer(&["audio", "input", "transcription", "model"])
            }
        };
        model.and_then(Value::as_str)
    }

    /// The voice, where one is set by name.
    #[must_use]
    pub fn voice(&self) -> Option<&str> {
        self.pointer(&["audio", "output", "voice"])
            .and_then(Value::as_str)
    }

    fn pointer(&self, place: &[&str]) -> Option<&Value> {
        let (first, rest) = place.split_first()?;
        rest.iter()
            .try_fold(self.members.get(*first)?, |value, name| value.get(name))
    }
}

/// A session configuration and what a caller may do with it.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// The mode a request gets that names none.
    pub mode: Mode,
    /// The modes a request may name.
    pub modes: Vec<Mode>,
    /// The life of a secret whose request names none, in seconds.
    pub expires_after_seconds: u32,
    /// The longest life a request may name, in seconds.
    pub max_expires_after_seconds: u32,
    /// Whether a request must name the app's session id.
    pub require_session_id: bool,
    /// The members of the session a caller may change.
    pub overrides: Vec<MemberPath>,
    /// The members of OpenAI's answer a browser may see beyond the harmless.
    pub echo: Vec<String>,
    /// The session.
    pub session: SessionConfig,
    /// Requests a minute over all callers; none means no limit.
    pub per_minute: Option<u32>,
    /// How its grants may be refreshed.
    pub refresh: RefreshRules,
    /// What its live sessions are held to.
    pub live: LiveRules,
}

/// What live sessions of a profile are held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRules {
    /// The longest a session may last, in seconds.
    pub max_session_seconds: u32,
    /// How long a renewal lasts, in seconds; none where there is no lease.
    pub lease_seconds: Option<u32>,
    /// How long nothing may be said, in seconds; none where that is no matter.
    pub idle_seconds: Option<u32>,
    /// The client events that may pass; none named means every one of the
    /// guard's table that is not refused there.
    pub events: Option<Vec<String>>,
    /// Whether a client may add items that speak as system or developer.
    pub system_items: bool,
    /// What becomes of a call whose session differs from the profile.
    pub on_drift: OnDrift,
}

impl Default for LiveRules {
    fn default() -> Self {
        Self {
            max_session_seconds: 1800,
            lease_seconds: None,
            idle_seconds: Some(600),
            events: None,
            system_items: false,
            on_drift: OnDrift::Correct,
        }
    }
}

/// What becomes of a call whose session differs from its profile.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum OnDrift {
    /// It is set back.
    Correct,
    /// It is hung up.
    HangUp,
}

/// How grants may be refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshRules {
    /// How long after its end a grant may still be refreshed, in seconds.
    pub grace_seconds: u32,
    /// The longest life of a grant and all its refreshes, in seconds.
    pub max_lineage_seconds: u32,
}

impl Default for RefreshRules {
    fn default() -> Self {
        Self {
            grace_seconds: 10,
            max_lineage_seconds: 4 * 3600,
        }
    }
}

/// Members of OpenAI's answer that tell a browser nothing it should not know.
const HARMLESS: [&str; 9] = [
    "type",
    "object",
    "id",
    "model",
    "output_modalities",
    "audio",
    "expires_at",
    "max_output_tokens",
    "include",
];

impl Profile {
    /// The longest life of a secret under this profile and a role's own limit.
    #[must_use]
    pub fn longest_life(&self, role_limit: Option<u32>) -> u32 {
        let role_limit = role_limit.unwrap_or(expiry::MAX_SECONDS);
        self.max_expires_after_seconds.min(role_limit)
    }

    /// What of OpenAI's session a browser may see: never instructions, tools or
    /// prompts unless the profile says so.
    #[must_use]
    pub fn visible(&self, session: &RawValue) -> Map<String, Value> {
        let Ok(Value::Object(mut members)) = serde_json::from_str(session.get()) else {
            return Map::new();
        };
        members.retain(|name, _| {
            HARMLESS.contains(&name.as_str()) || self.echo.iter().any(|shown| shown == name)
        });
        if !self
            .echo
            .iter()
            .any(|shown| shown == "audio.input.transcription.prompt")
        {
            hide_transcription_prompt(&mut members);
        }
        members
    }
}

fn hide_transcription_prompt(members: &mut Map<String, Value>) {
    let transcription = members
        .get_mut("audio")
        .and_then(|audio| audio.get_mut("input"))
        .and_then(|input| input.get_mut("transcription"))
        .and_then(Value::as_object_mut);
    if let Some(transcription) = transcription {
        transcription.remove("prompt");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> Result<SessionConfig, SessionConfigError> {
        let Value::Object(members) = value else {
            panic!("an object")
        };
        SessionConfig::new(members)
    }

    #[test]
    fn a_transcription_session_names_its_transcribers_model() {
        let session = json!({"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}});
        assert_eq!(config(session).unwrap().model(), Some("gpt-transcribe"));
    }

    #[test]
    fn a_session_of_no_kind_or_without_a_model_is_refused() {
        assert!(matches!(
            config(json!({"type": "live"})),
            Err(SessionConfigError::Kind)
        ));
        assert!(matches!(
            config(json!({"type": "realtime"})),
            Err(SessionConfigError::Model)
        ));
    }

    #[test]
    fn a_browser_sees_no_instructions_tools_or_prompts() {
        let profile = Profile {
            name: ProfileName::new("p").unwrap(),
            mode: Mode::Direct,
            modes: vec![Mode::Direct],
            expires_after_seconds: 60,
            max_expires_after_seconds: 60,
            require_session_id: false,
            overrides: Vec::new(),
            echo: Vec::new(),
            session: config(json!({"type": "realtime", "model": "m"})).unwrap(),
            per_minute: None,
            refresh: RefreshRules::default(),
            live: LiveRules::default(),
        };
        let answer = json!({
            "type": "realtime", "model": "m", "instructions": "secret plan", "prompt": {"id": "p"},
            "tools": [{"type": "mcp", "authorization": "token"}],
            "audio": {"input": {"transcription": {"model": "t", "prompt": "names"}}},
        });
        let raw = serde_json::value::to_raw_value(&answer).unwrap();
        let shown = Value::Object(profile.visible(&raw));
        assert_eq!(
            shown,
            json!({"type": "realtime", "model": "m", "audio": {"input": {"transcription": {"model": "t"}}}})
        );
        let open = Profile {
            echo: vec!["instructions".to_owned()],
            ..profile
        };
        assert_eq!(open.visible(&raw)["instructions"], "secret plan");
    }
}
