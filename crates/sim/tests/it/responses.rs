//! Responses: order, content, usage, cancelling, failing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Sim, Socket, assert_same_shape, fixture, standard_key};

async fn open(sim: &Sim) -> Socket {
    let bearer = format!("Bearer {}", standard_key());
    let mut socket = sim
        .socket("?model=gpt-realtime-2.1", &[("authorization", &bearer)])
        .await;
    socket.event().await;
    socket
}

async fn say(socket: &mut Socket, text: &str) {
    let item = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]});
    socket
        .send(&json!({"type": "conversation.item.create", "item": item}))
        .await;
    socket.until("conversation.item.done").await;
}

/// The types of events, repetitions left out.
fn order(events: &[Value]) -> Vec<&str> {
    let mut types: Vec<_> = events
        .iter()
        .filter_map(|event| event["type"].as_str())
        .collect();
    types.dedup();
    types
}

fn done(events: &[Value]) -> &Value {
    events
        .iter()
        .find(|event| event["type"] == "response.done")
        .unwrap()
}

#[tokio::test]
async fn writes_in_openai_s_order() {
    let sim = Sim::start().await;
    let mut socket = open(&sim).await;
    say(&mut socket, "good morning").await;
    let text = json!({"output_modalities": ["text"]});
    socket
        .send(&json!({"type": "response.create", "response": text}))
        .await;
    let events = socket.until("rate_limits.updated").await;
    assert_eq!(
        order(&events),
        [
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
            "rate_limits.updated",
        ]
    );
    assert_same_shape(
        done(&events),
        &fixture("event.response.done.text.live-probe"),
    );
    assert_same_shape(
        events.last().unwrap(),
        &fixture("event.rate_limits.updated.live-probe"),
    );
    assert_eq!(events[0]["response"]["usage"], Value::Null);
    let text = done(&events)["response"]["output"][0]["content"][0]["text"]
        .as_str()
        .unwrap();
    assert!(text.ends_with("good morning"), "{text}");
    let deltas: String = events
        .iter()
        .filter_map(|event| event["delta"].as_str())
        .collect();
    assert_eq!(deltas, text);
    assert!(
        events
            .iter()
            .all(|event| event["event_id"].as_str().unwrap().starts_with("event_"))
    );
}

#[tokio::test]
async fn speaks_with_audio_and_transcript() {
    let sim = Sim::start().await;
    let mut socket = open(&sim).await;
    socket.send(&json!({"type": "response.create"})).await;
    let events = socket.until("rate_limits.updated").await;
    let all = order(&events);
    assert_eq!(all[4], "response.output_audio_transcript.delta");
    assert_eq!(all[5], "response.output_audio.delta");
    let tail = &all[all.len() - 7..];
    assert_eq!(
        tail[..3],
        [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
        ]
    );
    assert_same_shape(done(&events), &fixture("event.response.done.audio"));
    let usage = &done(&events)["response"]["usage"];
    let total = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], total);
    assert!(
        usage["output_token_details"]["audio_tokens"]
            .as_u64()
            .unwrap()
            > 0
    );
    assert_eq!(sim.simulator.sessions()[0].responses, 1);
}

#[tokio::test]
async fn calls_a_tool_the_user_names() {
    let sim = Sim::start().await;
    let mut socket = open(&sim).await;
    let tool = json!({"type": "function", "name": "get_weather", "parameters": {"type": "object"}});
    let session = json!({"type": "realtime", "tools": [tool]});
    socket
        .send(&json!({"type": "session.update", "session": session}))
        .await;
    socket.event().await;
    say(&mut socket, "please get_weather").await;
    socket.send(&json!({"type": "response.create"})).await;
    let events = socket.until("response.done").await;
    let output = &done(&events)["response"]["output"][0];
    assert_eq!(
        (&output["type"], &output["name"]),
        (&json!("function_call"), &json!("get_weather"))
    );
    assert!(order(&events).contains(&"response.function_call_arguments.done"));
}

#[tokio::test]
async fn stops_at_its_token_limit() {
    let sim = Sim::start().await;
    let mut socket = open(&sim).await;
    let short = json!({"max_output_tokens": 2, "output_modalities": ["text"]});
    socket
        .send(&json!({"type": "response.create", "response": short}))
        .await;
    let events = socket.until("response.done").await;
    let response = &done(&events)["response"];
    assert_eq!(response["status"], "incomplete");
    assert_eq!(response["status_details"]["reason"], "max_output_tokens");
    assert_eq!(response["usage"]["output_tokens"], 2);
}

#[tokio::test]
async fn has_one_active_response_that_can_be_cancelled() {
    let sim = Sim::with(|config| config.response_pace = Duration::from_secs(3600)).await;
    let mut socket = open(&sim).await;
    socket.send(&json!({"type": "response.cancel"})).await;
    assert_eq!(
        socket.event().await["error"]["code"],
        "response_cancel_not_active"
    );
    socket.send(&json!({"type": "response.create"})).await;
    let created = socket.event().await;
    socket.send(&json!({"type": "response.create"})).await;
    let error = socket.event().await;
    assert_eq!(
        error["error"]["code"],
        "conversation_already_has_active_response"
    );
    let id = created["response"]["id"].as_str().unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains(id));
    socket.send(&json!({"type": "response.cancel"})).await;
    let events = socket.until("rate_limits.updated").await;
    assert_same_shape(done(&events), &fixture("event.response.done.cancelled"));
    assert_eq!(
        done(&events)["response"]["status_details"]["reason"],
        "client_cancelled"
    );
}

#[tokio::test]
async fn paces_its_deltas() {
    let sim = Sim::with(|config| config.response_pace = Duration::from_millis(1)).await;
    let mut socket = open(&sim).await;
    socket.send(&json!({"type": "response.create"})).await;
    let events = socket.until("rate_limits.updated").await;
    assert_eq!(done(&events)["response"]["status"], "completed");
}

#[tokio::test]
async fn fails_on_request() {
    let sim = Sim::start().await;
    let body = fixture("http_error.429.insufficient_quota");
    let fault =
        json!({"route": "response", "kind": "status", "status": 429, "body": body, "times": 1});
    sim.fault(&fault).await;
    let mut socket = open(&sim).await;
    socket.send(&json!({"type": "response.create"})).await;
    let events = socket.until("rate_limits.updated").await;
    let (given, wanted) = (done(&events), fixture("event.response.done.failed"));
    assert_same_shape(given, &wanted);
    assert_eq!(
        given["response"]["status_details"],
        wanted["response"]["status_details"]
    );
    assert_eq!(given["response"]["usage"], wanted["response"]["usage"]);
    socket.send(&json!({"type": "response.create"})).await;
    assert_eq!(
        done(&socket.until("response.done").await)["response"]["status"],
        "completed"
    );
}
