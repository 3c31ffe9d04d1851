//! Inside a session: updates, items, audio, and what is not understood.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Sim, Socket, assert_same_shape, fixture, request, standard_key};

async fn open(sim: &Sim, query: &str) -> (Socket, Value) {
    let bearer = format!("Bearer {}", standard_key());
    let mut socket = sim.socket(query, &[("authorization", &bearer)]).await;
    let created = socket.event().await;
    (socket, created)
}

#[tokio::test]
async fn greets_in_openai_s_shape() {
    let sim = Sim::start().await;
    let (_socket, created) = open(&sim, "?model=gpt-realtime").await;
    assert_same_shape(&created, &fixture("event.session.created.realtime"));
    assert_eq!(
        created["session"]["expires_at"],
        crate::support::START + 3600
    );
    let (_socket, created) = open(&sim, "?intent=transcription").await;
    assert_same_shape(&created, &fixture("event.session.created.transcription"));
}

#[tokio::test]
async fn merges_updates_and_answers_each() {
    let sim = Sim::start().await;
    let (mut socket, created) = open(&sim, "?model=gpt-realtime-2.1").await;
    socket
        .send(&fixture("client_event.session.update.agents-sdk-0.20.0"))
        .await;
    let updated = socket.event().await;
    assert_eq!(updated["type"], "session.updated");
    assert_eq!(updated["session"]["instructions"], "hi");
    let output = json!({"audio": {"output": {"voice": "cedar"}}, "type": "realtime"});
    socket
        .send(&json!({"type": "session.update", "session": output}))
        .await;
    let updated = socket.event().await;
    assert_eq!(updated["session"]["audio"]["output"]["voice"], "cedar");
    assert_eq!(
        updated["session"]["audio"]["input"]["turn_detection"]["type"],
        "semantic_vad"
    );
    assert_eq!(updated["session"]["id"], created["session"]["id"]);
    let listed = sim.call(request("GET", "/_sim/sessions")).await.json();
    assert_eq!(listed[0]["session"], updated["session"]);
    assert_eq!(listed[0]["credential_last_four"], "AAAA");
}

#[tokio::test]
async fn an_update_of_nothing_has_openai_s_shape() {
    let sim = Sim::start().await;
    let (mut socket, _) = open(&sim, "?model=gpt-realtime").await;
    socket
        .send(&json!({"type": "session.update", "session": {"type": "realtime"}}))
        .await;
    assert_same_shape(&socket.event().await, &fixture("event.session.updated"));
}

#[tokio::test]
async fn discards_a_wrong_update_whole() {
    let sim = Sim::start().await;
    let (mut socket, _) = open(&sim, "?model=gpt-realtime").await;
    let wrong = json!({"type": "realtime", "instructions": "new", "bogus_field": 1});
    socket
        .send(&json!({"type": "session.update", "session": wrong}))
        .await;
    assert_nonfatal(&mut socket, "unknown_parameter").await;
    let other = json!({"type": "realtime", "model": "gpt-realtime-1.5"});
    socket
        .send(&json!({"type": "session.update", "session": other, "event_id": "mine"}))
        .await;
    let error = socket.event().await;
    assert_eq!(error["error"]["param"], "session.model");
    assert_eq!(error["error"]["event_id"], "mine");
    socket
        .send(&json!({"type": "session.update", "session": {"type": "realtime"}}))
        .await;
    assert_ne!(socket.event().await["session"]["instructions"], "new");
}

#[tokio::test]
async fn says_what_it_does_not_understand_and_goes_on() {
    let sim = Sim::start().await;
    let (mut socket, _) = open(&sim, "?model=gpt-realtime").await;
    socket.send(&json!({"type": "nope"})).await;
    assert_nonfatal(&mut socket, "unknown_event_type").await;
    socket.send_message(Message::binary(vec![1, 2])).await;
    assert_nonfatal(&mut socket, "binary_frame").await;
    socket.send_message(Message::text("{")).await;
    assert_eq!(socket.event().await["error"]["code"], "invalid_event");
    socket.send(&json!({"event_id": "event_567"})).await;
    let mut error = socket.event().await;
    error["event_id"] = json!("event_890");
    assert_eq!(error, fixture("event.error.generic"));
}

async fn assert_nonfatal(socket: &mut Socket, name: &str) {
    let mut event = socket.event().await;
    event["event_id"] = json!("event_xxx");
    assert_eq!(
        event,
        fixture(&format!("ws_error.nonfatal.{name}"))["frame"]
    );
}

#[tokio::test]
async fn keeps_items_in_order() {
    let sim = Sim::start().await;
    let (mut socket, _) = open(&sim, "?model=gpt-realtime").await;
    let item = |id: &str| {
        json!({"id": id, "type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "hi"}]})
    };
    socket
        .send(&json!({"type": "conversation.item.create", "item": item("a")}))
        .await;
    let added = socket.until("conversation.item.done").await;
    assert_eq!(added[0]["type"], "conversation.item.added");
    assert_eq!(added[0]["previous_item_id"], Value::Null);
    assert_eq!(added[0]["item"]["status"], "completed");
    socket
        .send(&json!({"type": "conversation.item.create", "item": item("b")}))
        .await;
    assert_eq!(
        socket.until("conversation.item.done").await[1]["previous_item_id"],
        "a"
    );
    socket
        .send(&json!({"type": "conversation.item.retrieve", "item_id": "b"}))
        .await;
    assert_eq!(socket.event().await["item"]["id"], "b");
    let cut = json!({"type": "conversation.item.truncate", "item_id": "b", "content_index": 0, "audio_end_ms": 9});
    socket.send(&cut).await;
    assert_eq!(socket.event().await["audio_end_ms"], 9);
    socket
        .send(&json!({"type": "conversation.item.delete", "item_id": "b"}))
        .await;
    assert_eq!(socket.event().await["type"], "conversation.item.deleted");
    socket
        .send(&json!({"type": "conversation.item.delete", "item_id": "b"}))
        .await;
    assert_eq!(
        socket.event().await["error"]["code"],
        "item_delete_invalid_item_id"
    );
}

#[tokio::test]
async fn takes_audio_and_reports_its_transcript() {
    for (model, name) in [
        ("gpt-4o-mini-transcribe", "tokens"),
        ("whisper-1", "duration"),
    ] {
        let sim = Sim::start().await;
        let (mut socket, _) = open(&sim, "?intent=transcription").await;
        let input = json!({"transcription": {"model": model}});
        let session = json!({"type": "transcription", "audio": {"input": input}});
        socket
            .send(&json!({"type": "session.update", "session": session}))
            .await;
        assert_eq!(socket.event().await["type"], "session.updated");
        socket
            .send(&json!({"type": "input_audio_buffer.commit"}))
            .await;
        assert_eq!(
            socket.event().await["error"]["code"],
            "input_audio_buffer_commit_empty"
        );
        let audio = STANDARD.encode(vec![0_u8; 48 * 1500]);
        socket
            .send(&json!({"type": "input_audio_buffer.append", "audio": audio}))
            .await;
        socket
            .send(&json!({"type": "input_audio_buffer.commit"}))
            .await;
        let kind = "conversation.item.input_audio_transcription.completed";
        let events = socket.until(kind).await;
        assert_eq!(events[0]["type"], "input_audio_buffer.committed");
        assert_eq!(events[1]["item"]["id"], events[0]["item_id"]);
        let wanted = fixture(&format!("event.input_audio_transcription.completed.{name}"));
        assert_same_shape(events.last().unwrap(), &wanted);
    }
}

#[tokio::test]
async fn refuses_audio_that_is_no_base64() {
    let sim = Sim::start().await;
    let (mut socket, _) = open(&sim, "?model=gpt-realtime").await;
    socket
        .send(&json!({"type": "input_audio_buffer.append", "audio": "§"}))
        .await;
    assert_eq!(socket.event().await["error"]["param"], "audio");
}

#[tokio::test]
async fn pings_with_four_bytes_and_echoes_a_close() {
    let sim = Sim::with(|config| config.ping_interval = Duration::from_millis(5)).await;
    let (mut socket, _) = open(&sim, "?model=gpt-realtime").await;
    let ping = socket.stream.next().await.unwrap().unwrap();
    assert!(
        matches!(&ping, Message::Ping(payload) if payload.len() == 4),
        "{ping:?}"
    );
    let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: 1000.into(),
        reason: "".into(),
    };
    socket.send_message(Message::Close(Some(frame))).await;
    assert_eq!(socket.close().await, Some((1000, String::new())));
    while socket.frame().await.is_some() {}
    let ended = sim
        .call(request("GET", "/_sim/sessions?ended=true"))
        .await
        .json();
    assert_eq!(ended[0]["close_code"], 1000);
}

#[tokio::test]
async fn takes_messages_of_sixteen_mebibytes() {
    let sim = Sim::start().await;
    let (mut socket, _) = open(&sim, "?model=gpt-realtime").await;
    let audio = "A".repeat(16 * 1024 * 1024 - 100);
    socket
        .send(&json!({"type": "input_audio_buffer.append", "audio": audio}))
        .await;
    socket
        .send(&json!({"type": "input_audio_buffer.clear"}))
        .await;
    assert_eq!(socket.event().await["type"], "input_audio_buffer.cleared");
}
