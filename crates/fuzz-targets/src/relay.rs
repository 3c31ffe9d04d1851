//! A relayed session: a client's events, and the heads of its frames.

use std::sync::{Arc, LazyLock};

use hallpass_core::{
    grant::Mode,
    ids::ProfileName,
    overrides::MemberPath,
    profile::{LiveRules, Profile, RefreshRules, SessionConfig},
};
use hallpass_relay::{
    guard::{Guard, TABLE, Treatment, Verdict},
    ws::{Head, read_head},
};
use serde_json::{Map, Value, json};

static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let session = json!({"type": "realtime", "model": "m", "instructions": "i"});
    let session = session.as_object().cloned().unwrap_or_default();
    Guard::new(Arc::new(Profile {
        name: ProfileName::new("p").expect("a name"),
        mode: Mode::Relay,
        modes: vec![Mode::Relay],
        expires_after_seconds: 60,
        max_expires_after_seconds: 60,
        require_session_id: false,
        overrides: vec![MemberPath::parse("audio.output.voice")],
        echo: Vec::new(),
        session: SessionConfig::new(session).expect("a session"),
        per_minute: None,
        refresh: RefreshRules::default(),
        live: LiveRules::default(),
    }))
});

/// A client's event: what goes on is one event of the table, and a session or a
/// response in it holds nothing the profile does not let callers change.
pub fn realtime_event(input: &[u8]) {
    let Verdict::Forward { event, .. } = GUARD.judge(input) else {
        return;
    };
    let event: Map<String, Value> = serde_json::from_str(&event).expect("what goes on is JSON");
    let kind = event["type"].as_str().expect("it has a type");
    let row = TABLE
        .iter()
        .find(|row| row.kind == kind)
        .expect("it is in the table");
    match row.treatment {
        Treatment::Refused => panic!("{kind} goes on"),
        Treatment::Session => assert_only(&event["session"], &["type", "audio"]),
        Treatment::Response => {
            let response = event.get("response").unwrap_or(&Value::Null);
            assert_only(response, &["conversation", "metadata", "input", "audio"]);
        }
        Treatment::Item => {
            let role = event["item"].get("role").and_then(Value::as_str);
            assert!(matches!(role, None | Some("user" | "assistant")));
        }
        Treatment::Spliced | Treatment::Allowed => {}
    }
}

fn assert_only(value: &Value, allowed: &[&str]) {
    let members = value.as_object().into_iter().flat_map(Map::keys);
    for name in members {
        assert!(allowed.contains(&name.as_str()), "{name} goes on");
    }
}

/// The head of a frame: what is read is what its shortest form writes.
pub fn websocket_head(input: &[u8]) {
    let Ok(Some((head, size))) = read_head(input) else {
        return;
    };
    let mut written = Vec::new();
    Head::write(&head, &mut written);
    assert_eq!(input.get(..size), Some(written.as_slice()));
}
