//! Who gets no session: 101, an error, and OpenAI's close codes.

use serde_json::json;

use super::Place;

#[tokio::test]
async fn a_pass_works_once_and_a_second_use_is_a_security_event() {
    let place = Place::start();
    let (_socket, pass) = place.session("relayed").await;
    let second = place.open(&pass).await.refusal().await;
    assert_eq!(second.0, "invalid_api_key");
    assert_eq!(
        (second.1, second.2.as_str()),
        (3000, "invalid_request_error.invalid_api_key")
    );
    let records = place.site.trail().all();
    let told = records
        .iter()
        .find(|record| record.action() == "security.anomaly");
    assert_eq!(told.unwrap().fact("anomaly"), "pass_reused");
    assert_eq!(
        place.upstream().await.len(),
        1,
        "nothing was dialled for it"
    );
}

#[tokio::test]
async fn of_many_who_come_with_one_pass_at_once_one_gets_in() {
    let place = Place::start();
    let pass = place.pass("relayed").await;
    let opening = (0..8).map(|_| place.open(&pass));
    let sockets = futures_util::future::join_all(opening).await;
    let firsts = sockets
        .into_iter()
        .map(|mut socket| async move { socket.event().await });
    let firsts = futures_util::future::join_all(firsts).await;
    let created = firsts
        .iter()
        .filter(|event| event["type"] == "session.created");
    assert_eq!(created.count(), 1, "{firsts:?}");
}

#[tokio::test]
async fn a_used_pass_stays_used_over_a_crash() {
    let mut place = Place::start();
    let (_socket, pass) = place.session("relayed").await;
    place.serve.process.kill_9();
    place.serve = crate::support::Serve::start(&place.site);
    assert_eq!(place.open(&pass).await.refusal().await.1, 3000);
}

#[tokio::test]
async fn what_is_no_pass_is_refused_as_openai_refuses_and_nothing_is_dialled() {
    let place = Place::start();
    let direct = place
        .mint_as(
            &place.caller,
            &json!({"profile": "relayed", "mode": "relay"}),
        )
        .await
        .json();
    let mut cut = direct["value"].as_str().unwrap().to_owned();
    cut.pop();
    let forged = format!("ek_hp_{}_{}", "0".repeat(32), "A".repeat(38));
    for token in [
        "ek_68af296e8e408191a1120ab6383263c2",
        &place.caller,
        &cut,
        &forged,
        "x",
    ] {
        let bearer = format!("Bearer {token}");
        let (code, close, reason) = place
            .connect("", &[("authorization", &bearer)])
            .await
            .refusal()
            .await;
        assert_eq!(code, "invalid_api_key");
        assert_eq!(
            (close, reason.as_str()),
            (3000, "invalid_request_error.invalid_api_key")
        );
    }
    let (code, close, reason) = place.connect("", &[]).await.refusal().await;
    assert_eq!(
        (code, close, reason.as_str()),
        (json!(null), 3000, "invalid_request_error")
    );
    assert_eq!(place.upstream().await.len(), 0);
}

#[tokio::test]
async fn the_retired_beta_another_model_and_a_strange_page_are_refused() {
    let place = Place::start();
    let pass = place.pass("relayed").await;
    let bearer = format!("Bearer {}", pass["value"].as_str().unwrap());
    let auth = ("authorization", bearer.as_str());
    let beta = place
        .connect("", &[auth, ("openai-beta", "realtime=v1")])
        .await
        .refusal()
        .await;
    assert_eq!(
        (beta.0.as_str(), beta.1),
        (Some("beta_api_shape_disabled"), 4000)
    );
    let model = place
        .connect("?model=gpt-realtime-2.1-mini", &[auth])
        .await
        .refusal()
        .await;
    assert_eq!((model.0.as_str(), model.1), (Some("invalid_model"), 4000));
    let page = place
        .connect("", &[auth, ("origin", "https://evil.example")])
        .await
        .refusal()
        .await;
    assert_eq!(
        (page.0.as_str(), page.1),
        (Some("cross_site_request"), 1008)
    );
    // None of these used it up; with and without the profile's model it works.
    let mut socket = place.connect("?model=gpt-realtime-2.1", &[auth]).await;
    assert_eq!(socket.event().await["type"], "session.created");
}

#[tokio::test]
async fn an_expired_or_revoked_pass_opens_nothing() {
    let place = Place::start();
    let pass = place.pass("relayed").await;
    place.revoke("grant", pass["id"].as_str()).await;
    assert_eq!(place.open(&pass).await.refusal().await.1, 1008);
    assert_eq!(place.upstream().await.len(), 0);
}

#[tokio::test]
async fn openai_away_is_told_and_its_story_is_not() {
    let place = Place::start();
    let fault =
        json!({"route": "websocket", "kind": "close", "status": 3000, "body": "secret story"});
    crate::support::sim::fault(&place.serve.client, &place.sim.url, fault).await;
    let pass = place.pass("relayed").await;
    let (events, close) = place.open(&pass).await.rest().await;
    assert_eq!(u16::from(close.expect("a close").code), 1013);
    assert!(!format!("{events:?}").contains("secret story"));
    assert_eq!(
        place.ended(&pass).await.fact("reason"),
        "upstream_unreachable"
    );
}
