use hallpass_core::{
    grant::Mode,
    ids::ProfileName,
    overrides::MemberPath,
    profile::{LiveRules, RefreshRules},
};

use super::*;

fn session(value: Value) -> SessionConfig {
    let Value::Object(members) = value else {
        panic!("an object")
    };
    SessionConfig::new(members).unwrap()
}

fn profile(members: Value) -> Profile {
    Profile {
        name: ProfileName::new("p").unwrap(),
        mode: Mode::Call,
        modes: vec![Mode::Call],
        expires_after_seconds: 60,
        max_expires_after_seconds: 60,
        require_session_id: false,
        overrides: vec![MemberPath::parse("audio.output.voice")],
        echo: Vec::new(),
        session: session(members),
        per_minute: None,
        refresh: RefreshRules::default(),
        live: LiveRules::default(),
    }
}

fn pinned() -> Pinned {
    let profile = profile(json!({
        "type": "realtime", "model": "m", "instructions": "Ask.",
        "audio": {"output": {"voice": "marin", "speed": 1}},
    }));
    Pinned::new(&profile, &profile.session)
}

/// What OpenAI shows of such a session.
fn shown() -> Value {
    json!({
        "type": "realtime", "object": "realtime.session", "id": "sess_1", "model": "m-2026",
        "instructions": "Ask.", "tools": [], "tool_choice": "auto", "prompt": null,
        "output_modalities": ["audio"], "max_output_tokens": "inf", "tracing": null,
        "audio": {
            "input": {"transcription": null, "turn_detection": {"type": "server_vad"}},
            "output": {"voice": "marin", "speed": 1.0, "format": {"type": "audio/pcm"}},
        },
    })
}

fn drift(pointer: &str, value: Value) -> Option<Drift> {
    let mut session = shown();
    *session.pointer_mut(pointer).unwrap() = value;
    pinned().compare(session.as_object().unwrap())
}

#[test]
fn a_session_as_openai_shows_it_has_not_drifted() {
    assert_eq!(pinned().compare(shown().as_object().unwrap()), None);
}

#[test]
fn every_member_that_matters_is_set_back() {
    for (pointer, value, member, set_back) in [
        (
            "/instructions",
            json!("Obey."),
            "instructions",
            json!({"instructions": "Ask."}),
        ),
        (
            "/tools",
            json!([{"type": "function", "name": "f"}]),
            "tools",
            json!({"tools": []}),
        ),
        (
            "/tool_choice",
            json!("required"),
            "tool_choice",
            json!({"tool_choice": "auto"}),
        ),
        (
            "/prompt",
            json!({"id": "pmpt_1"}),
            "prompt",
            json!({"prompt": null}),
        ),
        (
            "/output_modalities",
            json!(["text"]),
            "output_modalities",
            json!({"output_modalities": ["audio"]}),
        ),
        (
            "/max_output_tokens",
            json!(1),
            "max_output_tokens",
            json!({"max_output_tokens": "inf"}),
        ),
        (
            "/audio/input/transcription",
            json!({"model": "whisper-1"}),
            "audio.input.transcription",
            json!({"audio": {"input": {"transcription": null}}}),
        ),
        (
            "/audio/output/speed",
            json!(1.5),
            "audio.output.speed",
            json!({"audio": {"output": {"speed": 1}}}),
        ),
    ] {
        let found = drift(pointer, value).unwrap();
        assert_eq!(found.members, [member]);
        let mut set_back = set_back;
        set_back["type"] = json!("realtime");
        assert_eq!(Value::Object(found.set_back), set_back);
    }
}

#[test]
fn what_callers_may_change_and_what_harms_nobody_is_let_be() {
    for (pointer, value) in [
        ("/audio/output/voice", json!("cedar")),
        ("/audio/input/turn_detection", Value::Null),
        ("/audio/output/format", json!({"type": "audio/pcmu"})),
        ("/tracing", json!("auto")),
        ("/model", json!("m-2027")),
    ] {
        assert_eq!(drift(pointer, value), None, "{pointer}");
    }
}

#[test]
fn a_missing_member_is_null_and_defaults_may_be_added_to_a_tool() {
    let tool = json!({"type": "mcp", "server_label": "s", "authorization": "kept to ourselves"});
    let profile = profile(json!({
        "type": "realtime", "model": "m", "instructions": "Ask.", "tools": [tool],
    }));
    let pinned = Pinned::new(&profile, &profile.session);
    let mut session = shown();
    session["tools"] = json!([{"type": "mcp", "server_label": "s", "require_approval": "always"}]);
    session.as_object_mut().unwrap().remove("prompt");
    assert_eq!(pinned.compare(session.as_object().unwrap()), None);
    session["tools"][0]["server_label"] = json!("mine");
    let drift = pinned.compare(session.as_object().unwrap()).unwrap();
    assert_eq!(
        drift.set_back["tools"][0]["authorization"],
        "kept to ourselves"
    );
}

#[test]
fn instructions_no_profile_names_are_held_to_those_first_seen() {
    let profile = profile(json!({"type": "realtime", "model": "m"}));
    let mut pinned = Pinned::new(&profile, &profile.session);
    let mut session = shown();
    pinned.hold_instructions(session.as_object().unwrap());
    session["instructions"] = json!("Obey.");
    pinned.hold_instructions(session.as_object().unwrap());
    let drift = pinned.compare(session.as_object().unwrap()).unwrap();
    assert_eq!(drift.set_back["instructions"], "Ask.");
}
