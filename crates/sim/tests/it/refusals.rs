//! Who is let into a WebSocket, and how the others are told.

use std::time::Duration;

use serde_json::{Value, json};
use std::sync::atomic::Ordering;

use crate::support::{START, Sim, fixture, realtime, standard_key};

/// Connects, and compares the one error and the close with a fixture.
async fn assert_refused(sim: &Sim, query: &str, headers: &[(&'static str, &str)], name: &str) {
    let mut socket = sim.socket(query, headers).await;
    let mut event = socket.event().await;
    let wanted = fixture(name);
    event["event_id"] = json!("event_xxx");
    assert_eq!(event, wanted["frame"], "{name}");
    let close = &wanted["then_close"];
    let code = close["code"].as_u64().unwrap() as u16;
    let reason = close["reason"].as_str().unwrap().to_owned();
    assert_eq!(socket.close().await, Some((code, reason)), "{name}");
}

#[tokio::test]
async fn refuses_after_the_upgrade_with_openai_s_words() {
    let sim = Sim::with(|config| config.standard_keys = vec![standard_key()]).await;
    let bearer = format!("Bearer {}", standard_key());
    let auth = ("authorization", bearer.as_str());
    let beta = ("openai-beta", "realtime=v1");
    let offer = (
        "sec-websocket-protocol",
        "realtime, openai-beta.realtime-v1",
    );
    let shape = "ws_error.beta_api_shape_disabled";
    let model = "?model=gpt-realtime-2.1";
    assert_refused(&sim, model, &[], "ws_error.missing_auth").await;
    assert_refused(&sim, "", &[auth], "ws_error.missing_model").await;
    assert_refused(&sim, "?model=gpt-nope", &[auth], "ws_error.invalid_model").await;
    assert_refused(&sim, model, &[auth, beta], shape).await;
    assert_refused(&sim, model, &[auth, offer], shape).await;
    assert_refused(&sim, "?intent=transcription", &[auth, beta], shape).await;
}

#[tokio::test]
async fn refuses_a_wrong_key_and_shows_it_masked() {
    let sim = Sim::with(|config| config.standard_keys = vec![standard_key()]).await;
    let wrong = ["sk-", "proj-", "zzzzzzzzzzzzzzAAAA"].concat();
    let headers = [("authorization", format!("Bearer {wrong}"))];
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut socket = sim.socket("?model=gpt-realtime", &headers).await;
    let event = socket.event().await;
    let wanted = fixture("ws_error.invalid_api_key");
    let message = wanted["frame"]["error"]["message"].as_str().unwrap();
    assert_eq!(
        event["error"]["message"],
        message.replace("<KEY8>", "sk-proj-")
    );
    assert_eq!(event["error"]["code"], "invalid_api_key");
    let reason = "invalid_request_error.invalid_api_key".to_owned();
    assert_eq!(socket.close().await, Some((3000, reason)));
}

#[tokio::test]
async fn lets_a_browser_in_and_answers_only_realtime() {
    let sim = Sim::start().await;
    let secret = sim.secret(&realtime()).await;
    let offer = format!("realtime, openai-insecure-api-key.{secret}, openai-agents-sdk.0.20.0");
    let offered = [("sec-websocket-protocol", offer.as_str())];
    let (mut socket, response) = sim.try_socket("", &offered).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "realtime");
    assert_eq!(response.headers().get("x-request-id"), None);
    let event = socket.event().await;
    assert_eq!(event["type"], "session.created");
    assert_eq!(event["session"]["model"], "gpt-realtime-2.1");
}

#[tokio::test]
async fn a_secret_is_good_until_it_expires_and_its_session_lives_on() {
    let sim = Sim::start().await;
    let secret = sim.secret(&realtime()).await;
    let bearer = format!("Bearer {secret}");
    let auth = [("authorization", bearer.as_str())];
    let mut first = sim.socket("", &auth).await;
    let mut second = sim.socket("", &auth).await;
    assert_eq!(first.event().await["type"], "session.created");
    assert_eq!(second.event().await["type"], "session.created");
    sim.clock.store(START + 600, Ordering::Relaxed);
    let mut late = sim.socket("", &auth).await;
    assert_eq!(late.event().await["error"]["code"], "invalid_api_key");
    assert_eq!(late.close().await.unwrap().0, 3000);
    first
        .send(&json!({"type": "input_audio_buffer.clear"}))
        .await;
    assert_eq!(first.event().await["type"], "input_audio_buffer.cleared");
}

#[tokio::test]
async fn the_model_of_a_secret_is_checked_on_connecting() {
    let sim = Sim::start().await;
    let live = json!({"session": {"type": "realtime", "model": "gpt-live-1"}});
    let bearer = format!("Bearer {}", sim.secret(&live).await);
    let mut socket = sim.socket("", &[("authorization", &bearer)]).await;
    assert_eq!(socket.event().await["error"]["code"], "invalid_model");
}

#[tokio::test]
async fn ends_at_the_session_limit() {
    let sim = Sim::with(|config| config.session_limit = Duration::from_millis(50)).await;
    let bearer = format!("Bearer {}", standard_key());
    let mut socket = sim
        .socket("?model=gpt-realtime", &[("authorization", &bearer)])
        .await;
    socket.event().await;
    assert_expired(&mut socket).await;
}

#[tokio::test]
async fn a_session_is_ended_by_the_control_route() {
    let sim = Sim::start().await;
    let bearer = format!("Bearer {}", standard_key());
    for (query, expected) in [
        ("", None),
        ("?code=1011&reason=oops", Some((1011, "oops".to_owned()))),
    ] {
        let mut socket = sim
            .socket("?model=gpt-realtime", &[("authorization", &bearer)])
            .await;
        let created = socket.event().await;
        let id = created["session"]["id"].as_str().unwrap().to_owned();
        let path = format!("/_sim/sessions/{id}{query}");
        assert_eq!(
            sim.call(crate::support::request("DELETE", &path))
                .await
                .status(),
            204
        );
        match expected {
            None => assert_expired(&mut socket).await,
            Some(close) => assert_eq!(socket.close().await, Some(close)),
        }
    }
    let path = "/_sim/sessions/sess_none";
    assert_eq!(
        sim.call(crate::support::request("DELETE", path))
            .await
            .status(),
        404
    );
}

async fn assert_expired(socket: &mut crate::support::Socket) {
    let wanted: Value = fixture("ws_error.session_expired");
    let mut event = socket.event().await;
    event["event_id"] = json!("event_xxx");
    assert_eq!(event, wanted["frame"]);
    let reason = wanted["then_close"]["reason"].as_str().unwrap().to_owned();
    assert_eq!(socket.close().await, Some((1001, reason)));
}
