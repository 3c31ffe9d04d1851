//! What passes, what is held to the profile, and what is measured.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::Place;

#[tokio::test]
async fn several_turns_are_measured_to_the_token_the_simulator_counted() {
    let place = Place::start();
    let (mut socket, pass) = place.session("relayed").await;
    for turn in ["Hello.", "I am an engineer.", "Goodbye."] {
        let done = socket.turn(turn).await;
        assert_eq!(done["response"]["status"], "completed");
    }
    socket.0.close(None).await.unwrap();
    let end = place.ended(&pass).await;
    let upstream = place.upstream().await;
    assert_eq!(upstream.len(), 1);
    let counted = |name: &str| upstream[0][name].to_string();
    assert_eq!(end.fact("responses"), "3");
    assert_eq!(end.fact("input_tokens"), counted("input_tokens"));
    assert_eq!(end.fact("output_tokens"), counted("output_tokens"));
    assert_eq!(end.fact("reason"), "client_closed");
    let usage = place.admin("/api/admin/usage?by=session").await;
    let group = &usage["data"][0];
    assert_eq!(group["responses"], 3);
    assert_eq!(group["cost_usd"].as_str(), Some(end.fact("cost_usd")));
    assert_ne!(end.fact("cost_usd"), "0.000000000");
}

#[tokio::test]
async fn the_standard_key_and_no_beta_header_reach_openai() {
    let place = Place::start();
    let (_socket, _) = place.session("relayed").await;
    let upstream = place.upstream().await;
    let last_four = &place.site.standard_key[place.site.standard_key.len() - 4..];
    assert_eq!(upstream[0]["credential_last_four"], last_four);
    assert!(upstream[0]["safety_identifier"].is_string());
}

#[tokio::test]
async fn the_agents_sdks_first_frame_works_and_stays_pinned() {
    let place = Place::start();
    let (mut socket, _) = place.session("relayed").await;
    let session = json!({
        "type": "realtime", "instructions": "hi", "model": "gpt-realtime-2.1",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000}, "noise_reduction": null,
                "transcription": {"model": "gpt-4o-mini-transcribe"}, "turn_detection": {"type": "semantic_vad"},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "speed": 1, "voice": "cedar"},
        },
    });
    socket
        .send(json!({"type": "session.update", "session": session}))
        .await;
    let updated = socket.next("session.updated").await;
    assert_eq!(updated["session"]["audio"]["output"]["voice"], "cedar");
    assert_eq!(
        updated["session"].get("instructions"),
        None,
        "not for the browser"
    );
    let upstream = place.upstream().await;
    let session = &upstream[0]["session"];
    assert_eq!(session["instructions"], "Ask one question.");
    assert_eq!(session["audio"]["output"]["voice"], "cedar");
    assert_eq!(
        session["audio"]["input"]["turn_detection"]["type"],
        "server_vad"
    );
}

#[tokio::test]
async fn what_is_refused_is_told_and_the_session_goes_on() {
    let place = Place::start();
    let (mut socket, pass) = place.session("relayed").await;
    let cases: [(Message, &str); 4] = [
        (Message::text("no json"), "invalid_json"),
        (
            Message::text(r#"{"type":"session.close"}"#),
            "invalid_value",
        ),
        (Message::binary(vec![1, 2, 3]), "invalid_frame"),
        (
            Message::text(
                r#"{"type":"conversation.item.create","item":{"type":"message","role":"system","content":[]}}"#,
            ),
            "item_not_allowed",
        ),
    ];
    for (message, code) in cases {
        socket.0.send(message).await.unwrap();
        let error = socket.next("error").await;
        assert_eq!(error["error"]["code"], code);
    }
    assert_eq!(
        socket.turn("Still here?").await["response"]["status"],
        "completed"
    );
    socket.0.close(None).await.unwrap();
    assert_eq!(place.ended(&pass).await.fact("events_refused"), "4");
    let records = place.site.trail().all();
    let guarded = records
        .iter()
        .filter(|record| record.action() == "session.guard");
    assert_eq!(guarded.count(), 4);
}

#[tokio::test]
async fn audio_is_heard_and_a_large_one_passes() {
    let place = Place::start();
    let (mut socket, _) = place.session("relayed").await;
    let audio = "A".repeat(6144);
    for _ in 0..20 {
        socket
            .send(json!({"type": "input_audio_buffer.append", "audio": audio}))
            .await;
    }
    socket
        .send(json!({"type": "input_audio_buffer.append", "audio": "A".repeat(10 * 1024 * 1024)}))
        .await;
    socket
        .send(json!({"type": "input_audio_buffer.commit"}))
        .await;
    socket.next("input_audio_buffer.committed").await;
}

#[tokio::test]
async fn a_client_that_offered_ours_hears_of_us_and_another_does_not() {
    let place = Place::start();
    let pass = place.pass("short").await;
    let mut socket = place.open_ours(&pass).await;
    assert_eq!(socket.event().await["type"], "session.created");
    let told: Value = socket.event().await;
    assert_eq!(told["type"], "hallpass.session");
    assert_eq!(told["grant"], pass["id"]);
    assert_eq!(socket.next("hallpass.warning").await["kind"], "time_limit");
    let (other, _) = place.session("short").await;
    let (events, _) = other.rest().await;
    let ours = events
        .iter()
        .filter(|event| event["type"].as_str().unwrap().starts_with("hallpass"));
    assert_eq!(ours.count(), 0);
}

#[tokio::test]
async fn a_transcription_is_relayed_too() {
    let place = Place::start();
    let (mut socket, _) = place.session("dictation").await;
    socket
        .send(json!({"type": "input_audio_buffer.append", "audio": "AAAA"}))
        .await;
    let upstream = place.upstream().await;
    assert_eq!(upstream[0]["session"]["type"], "transcription");
}
