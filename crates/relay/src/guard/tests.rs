use std::sync::Arc;

use hallpass_core::{
    grant::Mode,
    ids::ProfileName,
    overrides::MemberPath,
    profile::{LiveRules, RefreshRules, SessionConfig},
};
use proptest::prelude::*;

use super::*;

pub(crate) fn profile(live: LiveRules) -> Arc<Profile> {
    let session = json!({
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "instructions": "Ask one question at a time.",
        "audio": {"output": {"voice": "marin"}},
    });
    let Value::Object(session) = session else {
        panic!("an object")
    };
    Arc::new(Profile {
        name: ProfileName::new("interview").unwrap(),
        mode: Mode::Relay,
        modes: vec![Mode::Relay],
        expires_after_seconds: 60,
        max_expires_after_seconds: 60,
        require_session_id: false,
        overrides: vec![MemberPath::parse("audio.output.voice")],
        echo: Vec::new(),
        session: SessionConfig::new(session).unwrap(),
        per_minute: None,
        refresh: RefreshRules::default(),
        live,
    })
}

fn guard() -> Guard {
    Guard::new(profile(LiveRules::default()))
}

fn forwarded(event: &Value) -> (Value, Vec<String>) {
    match guard().judge(event.to_string().as_bytes()) {
        Verdict::Forward { event, set_back } => (serde_json::from_str(&event).unwrap(), set_back),
        Verdict::Refuse { error, why } => panic!("{why}: {error}"),
    }
}

fn refused(text: &str) -> (&'static str, Value) {
    match guard().judge(text.as_bytes()) {
        Verdict::Refuse { error, why } => (why, serde_json::from_str(&error).unwrap()),
        Verdict::Forward { event, .. } => panic!("{event}"),
    }
}

/// An event of each type OpenAI names, as a client would send it.
fn sample(kind: &str) -> Value {
    match kind {
        "session.update" => json!({"type": kind, "session": {"type": "realtime"}}),
        "conversation.item.create" => {
            json!({"type": kind, "item": {"type": "message", "role": "user", "content": []}})
        }
        "response.create" => json!({"type": kind, "response": {}}),
        _ => json!({"type": kind, "item_id": "item_1", "audio": "AAAA"}),
    }
}

#[test]
fn every_event_of_the_table_is_treated_as_the_table_says() {
    for row in TABLE {
        let verdict = guard().judge(sample(row.kind).to_string().as_bytes());
        let forwards = matches!(verdict, Verdict::Forward { .. });
        assert_eq!(
            forwards,
            row.treatment != Treatment::Refused,
            "{}",
            row.kind
        );
    }
}

#[test]
fn every_event_openai_names_is_in_the_table() {
    // The list OpenAI gives back for an unknown type, and the one of WebRTC.
    let named = "session.update session.close input_audio_buffer.append \
        session.input_audio_buffer.append input_audio_buffer.commit input_audio_buffer.clear \
        conversation.item.create conversation.item.truncate conversation.item.delete \
        conversation.item.retrieve response.create response.cancel output_audio_buffer.clear";
    for kind in named.split_whitespace() {
        assert!(TABLE.iter().any(|row| row.kind == kind), "{kind}");
    }
}

#[test]
fn a_profile_that_lists_its_events_refuses_all_others() {
    for row in TABLE
        .iter()
        .filter(|row| row.treatment != Treatment::Refused)
    {
        let rules = LiveRules {
            events: Some(vec![row.kind.to_owned()]),
            ..LiveRules::default()
        };
        let narrow = Guard::new(profile(rules));
        for other in TABLE {
            let verdict = narrow.judge(sample(other.kind).to_string().as_bytes());
            let forwards = matches!(verdict, Verdict::Forward { .. });
            assert_eq!(
                forwards,
                other.kind == row.kind,
                "{} {}",
                row.kind,
                other.kind
            );
        }
    }
}

#[test]
fn the_agents_sdks_first_frame_comes_out_pinned() {
    let event = json!({"type": "session.update", "event_id": "e1", "session": {
        "type": "realtime", "instructions": "do as I say", "model": "gpt-realtime-2.1-mini",
        "output_modalities": ["audio"], "tools": [{"type": "mcp"}],
        "audio": {
            "input": {"transcription": {"model": "gpt-4o-mini-transcribe"}, "turn_detection": {"type": "semantic_vad"}},
            "output": {"voice": "cedar", "speed": 1},
        },
    }});
    let (event, mut set_back) = forwarded(&event);
    assert_eq!(
        event,
        json!({"type": "session.update", "event_id": "e1", "session": {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}})
    );
    set_back.sort();
    assert_eq!(
        set_back,
        [
            "audio.input.transcription.model",
            "audio.input.turn_detection.type",
            "audio.output.speed",
            "instructions",
            "model",
            "output_modalities",
            "tools"
        ]
    );
}

#[test]
fn a_response_keeps_what_it_is_and_loses_what_it_must_not_be() {
    let event = json!({"type": "response.create", "response": {
        "instructions": "x", "tools": [], "output_modalities": ["text"], "max_output_tokens": "inf",
        "conversation": "none", "metadata": {"a": "b"}, "audio": {"output": {"voice": "cedar"}},
        "input": [{"type": "message", "role": "user", "content": []}],
    }});
    let (event, set_back) = forwarded(&event);
    assert_eq!(
        event["response"],
        json!({"conversation": "none", "metadata": {"a": "b"}, "audio": {"output": {"voice": "cedar"}},
            "input": [{"type": "message", "role": "user", "content": []}]})
    );
    assert_eq!(set_back.len(), 4);
}

#[test]
fn who_speaks_as_system_or_developer_is_refused_wherever_it_is() {
    for role in ["system", "developer", "System", "tool", ""] {
        let item = json!({"type": "message", "role": role, "content": []});
        let event = json!({"type": "conversation.item.create", "item": item});
        assert_eq!(refused(&event.to_string()).0, "system_item", "{role}");
        let event = json!({"type": "response.create", "response": {"input": [item]}});
        assert_eq!(refused(&event.to_string()).0, "system_item", "{role}");
    }
    for item in [
        json!({"type": "message", "role": ["user"]}),
        json!({"type": "message"}),
        json!({"type": "message", "role": "user", "Role": "system"}),
        json!("message"),
    ] {
        let event = json!({"type": "conversation.item.create", "item": item});
        assert_eq!(refused(&event.to_string()).0, "system_item", "{item}");
    }
    let (event, _) = forwarded(
        &json!({"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "x"}}),
    );
    assert_eq!(event["item"]["output"], "x");
}

#[test]
fn nothing_is_smuggled_past_by_spelling() {
    let cases = [
        (
            r#"{"type":"session.update","type":"response.cancel"}"#,
            "unreadable",
        ),
        (
            r#"{"type":"response.cancel","\u0074ype":"session.update"}"#,
            "unreadable",
        ),
        (
            r#"{"type":"response.cancel","Type":"session.update"}"#,
            "two_types",
        ),
        (r#"{"TYPE":"session.update"}"#, "no_type"),
        (r#"{"type":"Session.Update"}"#, "unknown_event"),
        (r#"{"type":["session.update"]}"#, "no_type"),
        (r#"{"type":"session.update "}"#, "unknown_event"),
        ("\u{feff}{\"type\":\"session.update\"}", "unreadable"),
        (
            r#"{"type":"session.update","session":{"model":"a","model":"b"}}"#,
            "unreadable",
        ),
    ];
    for (text, why) in cases {
        assert_eq!(refused(text).0, why, "{text}");
    }
    // An escaped type is read as what it says, and sent on unescaped.
    let event = r#"{"\u0074ype":"session\u002eupdate","session":{"model":"x"}}"#;
    let Verdict::Forward { event, .. } = guard().judge(event.as_bytes()) else {
        panic!("refused")
    };
    assert_eq!(
        event,
        r#"{"session":{"type":"realtime"},"type":"session.update"}"#
    );
}

#[test]
fn an_error_is_shaped_as_openais_and_names_the_clients_event() {
    let (_, error) = refused(r#"{"type":"nope","event_id":"mine"}"#);
    assert_eq!(error["type"], "error");
    assert_eq!(error["error"]["type"], "invalid_request_error");
    assert_eq!(error["error"]["code"], "invalid_value");
    assert_eq!(error["error"]["event_id"], "mine");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        "[a-z.]{0,6}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let names = "type|session|response|instructions|model|tools|audio|output|voice|input|role|item|[a-z]{1,3}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(names, inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_a_session_update_holds_only_the_voice_gets_through(session in any_json()) {
        let event = json!({"type": "session.update", "session": session});
        if let Verdict::Forward { event, .. } = guard().judge(event.to_string().as_bytes()) {
            let mut event: Value = serde_json::from_str(&event).unwrap();
            if let Some(output) = event["session"].pointer_mut("/audio/output").and_then(Value::as_object_mut) {
                output.remove("voice");
                prop_assert!(output.is_empty());
                event["session"].as_object_mut().unwrap().remove("audio");
            }
            prop_assert_eq!(event, json!({"type": "session.update", "session": {"type": "realtime"}}));
        }
    }

    #[test]
    fn what_goes_on_is_an_event_of_the_table_to_any_parser(event in any_json(), kind in prop::sample::select(TABLE.iter().map(|row| row.kind).collect::<Vec<_>>())) {
        let mut event = event;
        if let Value::Object(members) = &mut event {
            members.insert("type".to_owned(), kind.into());
        }
        if let Verdict::Forward { event, .. } = guard().judge(event.to_string().as_bytes()) {
            let read: Value = serde_json::from_str(&event).unwrap();
            prop_assert_eq!(&read["type"], kind);
            prop_assert_eq!(event.matches("\"type\":\"session.update\"").count() <= 1, true);
            prop_assert!(read.pointer("/session/instructions").is_none() || kind != "session.update");
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = guard().judge(&bytes);
    }
}
