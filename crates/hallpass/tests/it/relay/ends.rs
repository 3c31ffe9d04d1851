//! Every way a session ends: its client is told why, and the trail knows.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;

use super::Place;
use crate::support::command::Run;

#[tokio::test]
async fn each_kind_of_revocation_ends_it() {
    let place = Place::start();
    for kind in [
        "grant", "lineage", "session", "subject", "key", "profile", "before", "all",
    ] {
        let body = json!({"profile": "relayed", "session_id": "interview-1"});
        let pass = place.mint_as(&place.caller, &body).await.json();
        let mut socket = place.open(&pass).await;
        socket.next("session.created").await;
        let key = place.caller.split('_').nth(2).unwrap().to_owned();
        let target = match kind {
            "grant" => pass["id"].as_str(),
            "lineage" => pass["lineage"].as_str(),
            "session" => Some("interview-1"),
            "subject" => Some("caller"),
            "key" => Some(key.as_str()),
            "profile" => Some("relayed"),
            "before" => Some("2100-01-01T00:00:00Z"),
            _ => None,
        };
        let effect = place.revoke(kind, target).await;
        assert_eq!(effect["sessions_ended"], 1, "{kind} {effect}");
        let (code, close, reason) = socket.refusal().await;
        assert_eq!((code.as_str(), close), (Some("revoked"), 1008), "{kind}");
        assert!(reason.contains("revoked"), "{reason}");
        assert_eq!(place.ended(&pass).await.fact("reason"), "revoked");
        let lift = format!(
            "/api/admin/revocations/{}/lift",
            effect["id"].as_str().unwrap()
        );
        assert_eq!(place.admin_post(&lift, &json!({})).await.status, 200);
    }
}

#[tokio::test]
async fn a_revocation_ends_no_others_session() {
    let place = Place::start();
    let (first, pass) = place.session("relayed").await;
    let (mut second, _) = place.session("relayed").await;
    place.revoke("grant", pass["id"].as_str()).await;
    assert_eq!(first.refusal().await.1, 1008);
    assert_eq!(
        second.turn("Hello?").await["response"]["status"],
        "completed"
    );
}

#[tokio::test]
async fn an_operator_lists_and_ends_it_from_the_command_line() {
    let place = Place::start();
    let (socket, pass) = place.session("relayed").await;
    let run = |arguments: &[&str]| {
        let mut command = crate::support::binary();
        command
            .arg("sessions")
            .args(arguments)
            .env("HALLPASS_URL", place.serve.admin_url(""))
            .env("HALLPASS_ADMIN_KEY", &place.operator);
        Run::of(command, "")
    };
    let listed = run(&["list", "--json"]).json();
    assert_eq!(listed["grant"], pass["id"]);
    assert_eq!(listed["mode"], "relay");
    let ended = run(&["end", listed["id"].as_str().unwrap(), "--reason", "a test"]);
    assert!(ended.out.contains("operator"), "{}", ended.out);
    let (code, close, _) = socket.refusal().await;
    assert_eq!((code.as_str(), close), (Some("operator"), 1008));
    let again = place
        .admin_post("/api/admin/sessions/ls_none/end", &json!({}))
        .await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn its_own_limit_ends_it() {
    let place = Place::start();
    let (socket, pass) = place.session("short").await;
    let (code, close, _) = socket.refusal().await;
    assert_eq!((code.as_str(), close), (Some("session_expired"), 1008));
    assert_eq!(place.ended(&pass).await.fact("reason"), "time_limit");
}

#[tokio::test]
async fn silence_ends_it() {
    let place = Place::start();
    let (socket, pass) = place.session("silent").await;
    assert_eq!(socket.refusal().await.1, 1008);
    assert_eq!(place.ended(&pass).await.fact("reason"), "idle");
}

#[tokio::test]
async fn a_lease_is_renewed_or_it_ends() {
    let place = Place::start();
    let (socket, pass) = place.session("leased").await;
    let path = format!("/api/sessions/{}/renew", pass["id"].as_str().unwrap());
    let renew = |bearer: String| {
        let request = crate::support::post(
            &place.serve.client,
            &place.serve.url(&path),
            &bearer,
            &json!({}),
        );
        crate::support::send(request)
    };
    let renewed = renew(place.caller.clone()).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text);
    let another = place.site.token("someone-else", 60);
    assert_eq!(renew(another).await.status, 404);
    let (code, close, _) = socket.refusal().await;
    assert_eq!((code.as_str(), close), (Some("lease_expired"), 1008));
    assert_eq!(renew(place.caller.clone()).await.status, 404, "it is over");
}

#[tokio::test]
async fn who_may_not_any_more_ends_it_by_asking_to_renew() {
    let place = Place::start();
    let (socket, pass) = place.session("leased").await;
    // A revocation of the key itself would end it at once.
    let url = place.serve.url(&format!(
        "/api/sessions/{}/renew",
        pass["id"].as_str().unwrap()
    ));
    place.revoke("profile", Some("leased")).await;
    let refused = crate::support::send(crate::support::post(
        &place.serve.client,
        &url,
        &place.caller,
        &json!({}),
    ))
    .await;
    assert!(matches!(refused.status, 403 | 404), "{}", refused.text);
    assert_eq!(socket.refusal().await.1, 1008);
}

#[tokio::test]
async fn openais_own_close_is_carried_through() {
    let place = Place::start();
    let (socket, pass) = place.session("relayed").await;
    let upstream = place.upstream().await;
    let id = upstream[0]["id"].as_str().unwrap();
    let url = format!("{}/_sim/sessions/{id}", place.sim.url);
    crate::support::send(place.serve.client.delete(url)).await;
    let (_, close) = socket.rest().await;
    let close = close.expect("a close");
    let end = place.ended(&pass).await;
    assert_eq!(end.fact("reason"), "upstream_closed");
    assert_eq!(
        end.fact("upstream_close_code"),
        u16::from(close.code).to_string()
    );
}

#[tokio::test]
async fn a_clients_close_reaches_openai_and_is_answered() {
    let place = Place::start();
    let (mut socket, pass) = place.session("relayed").await;
    let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: 1000.into(),
        reason: "done".into(),
    };
    socket
        .0
        .send(tokio_tungstenite::tungstenite::Message::Close(Some(frame)))
        .await
        .unwrap();
    let (_, close) = socket.rest().await;
    assert_eq!(u16::from(close.expect("an answer").code), 1000);
    assert_eq!(place.ended(&pass).await.fact("reason"), "client_closed");
    let upstream = place.upstream().await;
    assert_eq!(upstream[0]["close_code"], 1000);
}

#[tokio::test]
async fn a_stopping_server_tells_its_clients_to_come_back() {
    let mut place = Place::start();
    let (socket, pass) = place.session("relayed").await;
    place.serve.process.signal(rustix::process::Signal::TERM);
    assert_eq!(socket.refusal().await.1, 1012);
    let ended = place.serve.process.ended_within(Duration::from_secs(10));
    assert!(ended.success());
    assert_eq!(place.end_of(&pass).unwrap().fact("reason"), "drain");
}
