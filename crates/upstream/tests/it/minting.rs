//! What is sent, and what becomes of a good reply.

use hallpass_core::{ports::Minter as _, profile::SessionConfig};
use serde_json::{Value, json};

use crate::{
    scripted::{Script, Upstream, reply},
    support::{NOW, SECRET, client, good, key, mint_at, order, settings},
};

#[tokio::test]
async fn a_good_reply_becomes_a_checked_secret() {
    let upstream = Upstream::start(Script::Answer(good())).await;
    let minted = client(&upstream).mint(order()).await.unwrap();
    let expected: Value = serde_json::from_str(SECRET).unwrap();
    let session: Value = serde_json::from_str(minted.session.get()).unwrap();
    assert_eq!(minted.secret.expose(), expected["value"]);
    assert_eq!(minted.expires_at.as_second(), NOW + 60);
    assert_eq!(session, expected["session"]);
    assert_eq!(
        minted.connect_url,
        format!(
            "ws://{}/v1/realtime?model=gpt-realtime-2.1",
            upstream.address
        )
    );
    assert_eq!(minted.upstream.request_id.as_deref(), Some("req_1"));
    assert_eq!(minted.upstream.status, Some(200));
    assert!(!minted.upstream.orphan_possible);
}

#[tokio::test]
async fn the_request_is_the_documented_one() {
    let upstream = Upstream::start(Script::Answer(good())).await;
    let mut settings = settings(&format!("http://{}/v1/", upstream.address));
    settings.organization = Some("org-1".to_owned());
    settings.project = Some("proj_1".to_owned());
    crate::support::client_with(settings)
        .mint(order())
        .await
        .unwrap();
    let requests = upstream.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /v1/realtime/client_secrets HTTP/1.1");
    lines.sort_unstable();
    let length = body.len();
    let expected = [
        "accept-encoding: identity".to_owned(),
        "accept: application/json".to_owned(),
        format!("authorization: Bearer {}", key()),
        format!("content-length: {length}"),
        "content-type: application/json".to_owned(),
        format!("host: {}", upstream.address),
        "openai-organization: org-1".to_owned(),
        "openai-project: proj_1".to_owned(),
        "openai-safety-identifier: 5afe1d".to_owned(),
        concat!("user-agent: hallpass/", env!("CARGO_PKG_VERSION")).to_owned(),
    ];
    assert_eq!(lines, expected);
    let sent: Value = serde_json::from_str(body).unwrap();
    let session: Value = serde_json::from_str(order().session.as_json()).unwrap();
    assert_eq!(
        sent,
        json!({"expires_after": {"anchor": "created_at", "seconds": 60}, "session": session})
    );
}

#[tokio::test]
async fn created_is_as_good_as_ok() {
    let minted = mint_at(Script::Answer(reply(201, "", SECRET))).await;
    assert_eq!(minted.unwrap().upstream.status, Some(201));
}

#[tokio::test]
async fn a_transcription_session_is_minted_without_a_model() {
    let session = json!({"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-transcribe"}}}});
    let answer = json!({"value": "ek_0123456789", "expires_at": NOW + 60, "session": session});
    let upstream = Upstream::start(Script::Answer(reply(200, "", &answer.to_string()))).await;
    let mut order = order();
    order.session = SessionConfig::new(session.as_object().unwrap().clone()).unwrap();
    let minted = client(&upstream).mint(order).await.unwrap();
    assert!(
        minted
            .connect_url
            .ends_with("/v1/realtime?intent=transcription")
    );
}
