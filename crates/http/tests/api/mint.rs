//! The three ways to a client secret.

use hallpass_core::grant::GrantState;

use crate::service::{As, DROP_IN, INTERVIEW, MINT, Service, assert_shown, empty, json, post};

#[tokio::test]
async fn generate_client_secret_answers() {
    let body = r#"{
        "profile": "interview", "session_id": "interview-42", "mode": "direct",
        "expires_after": {"anchor": "created_at", "seconds": 120},
        "session": {"audio": {"output": {"voice": "cedar"}}}
    }"#;
    let answer = Service::new()
        .ask(json(post(MINT).by("alice service"), body))
        .await;
    assert_shown("generate_client_secret", answer.show());
}

#[tokio::test]
async fn generate_client_secret_needs_no_body() {
    let answer = Service::new()
        .ask(empty(post(MINT).by("alice service")))
        .await;
    assert_shown("generate_client_secret_without_body", answer.show());
}

#[tokio::test]
async fn the_interviews_token_answers() {
    let body = r#"{"session_id": "interview-42"}"#;
    let answer = Service::new()
        .ask(json(post(INTERVIEW).by("alice service"), body))
        .await;
    assert_shown("interview_token", answer.show());
}

#[tokio::test]
async fn the_drop_in_answers_as_openai_does_less_what_a_browser_may_not_see() {
    let body = r#"{
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {"type": "realtime", "model": "gpt-realtime-2.1"}
    }"#;
    let answer = Service::new()
        .ask(json(post(DROP_IN).by("alice service"), body))
        .await;
    assert_shown("drop_in", answer.show());
    assert!(
        !answer.text().contains("Ask one question"),
        "the instructions"
    );
}

#[tokio::test]
async fn the_drop_ins_type_chooses_the_profile() {
    let service = Service::new();
    let body = r#"{"session": {"type": "transcription"}}"#;
    let answer = service
        .ask(json(post(DROP_IN).by("alice candidate"), body))
        .await;
    assert_shown("drop_in_transcription", answer.show());
    let grants = service.world.audit.finals();
    assert_eq!(
        grants[0].grant.as_ref().unwrap().profile.as_str(),
        "dictation"
    );
}

#[tokio::test]
async fn a_credential_bound_to_an_interview_binds_the_grant() {
    let service = Service::new();
    let answer = service
        .ask(empty(post(MINT).by("alice candidate interview-7")))
        .await;
    assert_eq!(answer.json()["session_id"], "interview-7");
}

#[tokio::test]
async fn what_is_answered_is_what_was_recorded() {
    let service = Service::new();
    let answer = service
        .ask(empty(post(MINT).by("alice candidate")))
        .await
        .json();
    let grant = service.world.audit.finals()[0].grant.clone().unwrap();
    assert_eq!(answer["id"], grant.id.as_str());
    assert_eq!(answer["lineage"], grant.lineage.as_str());
    assert_eq!(answer["expires_at"], grant.expires_at.as_second());
    assert_eq!(grant.state, GrantState::Active);
    assert!(
        answer["value"]
            .as_str()
            .unwrap()
            .ends_with(&grant.secret_last4)
    );
}

#[tokio::test]
async fn mints_are_counted_by_profile_and_outcome() {
    let service = Service::new();
    service.ask(empty(post(MINT).by("alice candidate"))).await;
    service.ask(empty(post(MINT).by("alice locked"))).await;
    let minted = r#"hallpass_mints_total{profile="interview",outcome="success"}"#;
    let denied = r#"hallpass_mints_total{profile="",outcome="permission_denied"}"#;
    assert_eq!(service.metric(minted).await, Some(1.0));
    assert_eq!(service.metric(denied).await, Some(1.0));
}
