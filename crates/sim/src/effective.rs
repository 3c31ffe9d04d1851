//! The effective session: defaults under what was asked for.

use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    schema::{self, invalid_choice},
};

/// A session's members.
pub(crate) type Session = Map<String, Value>;

/// The model of a session that names none.
pub(crate) const DEFAULT_MODEL: &str = "gpt-realtime";

const INSTRUCTIONS: &str = "Your knowledge cutoff is 2023-10. \
    You are a helpful assistant that is simulated and answers by a script.";

/// Checks a requested session and fills in what it leaves open.
pub(crate) fn at_mint(requested: Option<&Value>, id: &str) -> Result<Session, ApiError> {
    let requested = requested.filter(|session| !session.is_null());
    let Some(requested) = requested else {
        return Ok(defaults("realtime", id));
    };
    let kind = check_requested(requested)?;
    let mut session = defaults(kind, id);
    if let Some(members) = requested.as_object() {
        merge(&mut session, members);
    }
    complete_transcriber(&mut session);
    Ok(session)
}

/// The session a socket starts with when its credential carries none.
pub(crate) fn of_kind(kind: &'static str) -> Session {
    defaults(kind, "")
}

/// Turns a minted session into that of a connection.
///
/// OpenAI spells turn detection out only there, and names no truncation
/// unless it was configured.
pub(crate) fn at_connect(mut session: Session, id: &str, expires_at: u64) -> Session {
    session.insert("id".to_owned(), json!(id));
    session.insert("expires_at".to_owned(), json!(expires_at));
    if session.get("truncation").is_some_and(|it| it == "auto") {
        session.remove("truncation");
    }
    complete_turn_detection(&mut session);
    session
}

/// Applies a `session.update`, wholly or not at all.
pub(crate) fn update(session: &Session, change: &Value) -> Result<Session, ApiError> {
    let kind = check_requested(change)?;
    if session.get("type").is_none_or(|current| current != kind) {
        let current = session
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        return Err(invalid_choice(kind, &[current], "session.type"));
    }
    let Some(members) = change.as_object() else {
        return Ok(session.clone());
    };
    check_model(session, members)?;
    let mut updated = session.clone();
    merge(&mut updated, members);
    complete_transcriber(&mut updated);
    complete_turn_detection(&mut updated);
    Ok(updated)
}

/// The session's model, where its type has one.
pub(crate) fn model(session: &Session) -> Option<&str> {
    session.get("model").and_then(Value::as_str)
}

/// Names the model of a session whose type has one.
pub(crate) fn set_model(session: &mut Session, model: &str) {
    if let Some(member) = session.get_mut("model") {
        *member = json!(model);
    }
}

/// Whether the session only transcribes.
pub(crate) fn is_transcription(session: &Session) -> bool {
    session
        .get("type")
        .is_some_and(|kind| kind == "transcription")
}

fn check_requested(requested: &Value) -> Result<&'static str, ApiError> {
    let kind = requested.get("type");
    let (kind, members) = match kind.and_then(Value::as_str) {
        Some("transcription") => ("transcription", schema::TRANSCRIPTION),
        Some("realtime") | None => ("realtime", schema::REALTIME),
        Some(other) => {
            return Err(invalid_choice(
                other,
                &["realtime", "transcription"],
                "session.type",
            ));
        }
    };
    schema::check(members, requested, "session")?;
    if requested.get("type").is_none() {
        return Err(ApiError::missing_parameter("session.type"));
    }
    Ok(kind)
}

fn check_model(session: &Session, change: &Session) -> Result<(), ApiError> {
    let Some(wanted) = change.get("model").and_then(Value::as_str) else {
        return Ok(());
    };
    match model(session) {
        Some(current) if current != wanted => {
            let message = format!(
                "The model of a session cannot be changed: it is '{current}', not '{wanted}'."
            );
            Err(ApiError::parameter(
                "invalid_value",
                "session.model",
                message,
            ))
        }
        _ => Ok(()),
    }
}

/// Objects under `audio` are merged; every other member is replaced.
fn merge(session: &mut Session, change: &Session) {
    for (name, value) in change {
        let nested = matches!(name.as_str(), "audio" | "input" | "output");
        match (session.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(change)) if nested => merge(inner, change),
            _ => {
                session.insert(name.clone(), value.clone());
            }
        }
    }
}

fn complete_transcriber(session: &mut Session) {
    if let Some(transcriber) = input_member(session, "transcription") {
        transcriber.entry("language").or_insert(Value::Null);
        transcriber.entry("prompt").or_insert(Value::Null);
    }
}

fn complete_turn_detection(session: &mut Session) {
    let transcribes = is_transcription(session);
    let Some(detection) = input_member(session, "turn_detection") else {
        return;
    };
    let mut default = |name: &str, value: Value| {
        detection.entry(name).or_insert(value);
    };
    if !transcribes {
        default("create_response", json!(true));
        default("interrupt_response", json!(true));
    }
    if detection
        .get("type")
        .is_some_and(|kind| kind == "semantic_vad")
    {
        detection.entry("eagerness").or_insert(json!("auto"));
        return;
    }
    detection.entry("threshold").or_insert(json!(0.5));
    detection.entry("prefix_padding_ms").or_insert(json!(300));
    detection.entry("silence_duration_ms").or_insert(json!(200));
    if !transcribes {
        detection.entry("idle_timeout_ms").or_insert(Value::Null);
    }
}

fn input_member<'a>(session: &'a mut Session, name: &str) -> Option<&'a mut Session> {
    session
        .get_mut("audio")?
        .get_mut("input")?
        .get_mut(name)?
        .as_object_mut()
}

fn defaults(kind: &'static str, id: &str) -> Session {
    let format = || json!({"type": "audio/pcm", "rate": 24000});
    let input = json!({
        "format": format(),
        "transcription": null,
        "noise_reduction": null,
        "turn_detection": {"type": "server_vad"},
    });
    let session = if kind == "transcription" {
        json!({
            "type": kind,
            "object": "realtime.transcription_session",
            "id": id,
            "expires_at": 0,
            "audio": {"input": input},
            "include": null,
        })
    } else {
        json!({
            "type": kind,
            "object": "realtime.session",
            "id": id,
            "model": DEFAULT_MODEL,
            "output_modalities": ["audio"],
            "instructions": INSTRUCTIONS,
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": null,
            "truncation": "auto",
            "prompt": null,
            "expires_at": 0,
            "audio": {
                "input": input,
                "output": {"format": format(), "voice": "alloy", "speed": 1.0},
            },
            "include": null,
        })
    };
    match session {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
