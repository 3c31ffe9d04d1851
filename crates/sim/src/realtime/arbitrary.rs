//! No event panics a session, whatever JSON it carries.

use std::{sync::Arc, time::Duration, time::SystemTime};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::Engine;
use crate::{SimulatorConfig, effective, mint, schema, simulator::Simulator};

/// Names that matter somewhere, so that generated objects get past the door.
const NAMES: &[&str] = &[
    "type",
    "session",
    "item",
    "response",
    "audio",
    "input",
    "output",
    "format",
    "rate",
    "voice",
    "transcription",
    "turn_detection",
    "model",
    "tools",
    "tool_choice",
    "name",
    "content",
    "text",
    "role",
    "id",
    "item_id",
    "previous_item_id",
    "call_id",
    "arguments",
    "event_id",
    "metadata",
    "max_output_tokens",
    "output_modalities",
    "conversation",
    "content_index",
    "audio_end_ms",
    "expires_after",
    "anchor",
    "seconds",
    "instructions",
    "truncation",
    "include",
    "é",
];

const TEXTS: &[&str] = &[
    "",
    "realtime",
    "transcription",
    "audio/pcm",
    "audio/pcmu",
    "server_vad",
    "semantic_vad",
    "message",
    "function_call",
    "user",
    "input_text",
    "none",
    "auto",
    "inf",
    "root",
    "function",
    "created_at",
    "AAAA",
    "text",
    "é\u{0}\u{10ffff}",
];

const KINDS: &[&str] = &[
    "session.update",
    "session.close",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "response.create",
    "response.cancel",
    "nope",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let name = prop::sample::select(NAMES).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn event() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(NAMES).prop_map(str::to_owned);
    let members = prop::collection::vec((name, json()), 0..5);
    (prop::sample::select(KINDS), members).prop_map(|(kind, members)| {
        let mut event: Map<_, _> = members.into_iter().collect();
        event.insert("type".to_owned(), json!(kind));
        Value::Object(event)
    })
}

fn simulator() -> Simulator {
    let mut config = SimulatorConfig::new(Arc::new(|| SystemTime::UNIX_EPOCH));
    config.response_pace = Duration::ZERO;
    Simulator::new(config)
}

proptest! {
    #[test]
    fn every_frame_sent_is_an_event(events in prop::collection::vec(event(), 1..12)) {
        let core = simulator().core;
        for kind in ["realtime", "transcription"] {
            let session = effective::at_connect(effective::of_kind(kind), "sess_1", 1);
            let mut engine = Engine::new(Arc::clone(&core), session);
            for event in &events {
                engine.receive(&event.to_string());
            }
            for frame in engine.take_frames() {
                let sent: Value = serde_json::from_str(&frame)?;
                prop_assert!(sent["type"].is_string() && sent["event_id"].is_string());
            }
        }
    }

    #[test]
    fn any_text_is_answered(text in ".*") {
        let session = effective::of_kind("realtime");
        let mut engine = Engine::new(simulator().core, session);
        engine.receive(&text);
        prop_assert!(!engine.take_frames().is_empty());
    }

    #[test]
    fn any_mint_is_answered(body in json()) {
        let core = simulator().core;
        let answered = mint::issue(&core, &body.to_string().into(), &http::HeaderMap::new());
        if schema::check(schema::MINT, &body, "").is_err() {
            prop_assert!(answered.is_err());
        }
    }
}
