//! Asking again under the same name.

use hallpass_core::audit::Outcome;
use http::{Request, request};

use axum::body::Body;

use crate::service::{Answer, As, INTERVIEW, MINT, Service, empty, json, post};

fn named(route: &str, who: &str, key: &str) -> request::Builder {
    post(route).by(who).header("idempotency-key", key)
}

fn mint(who: &str, key: &str) -> Request<Body> {
    empty(named(MINT, who, key))
}

fn value(answer: &Answer) -> String {
    let json = answer.json();
    json["value"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_same_again_is_the_same_secret_and_one_mint() {
    let service = Service::new();
    let first = service.ask(mint("alice service", "k")).await;
    let again = service.ask(mint("alice service", "k")).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(value(&first), value(&again));
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(service.world.minter.orders().len(), 1);
    let finals = service.world.audit.finals();
    assert_eq!(finals.len(), 2, "each request has its record");
    assert_eq!(finals[1].outcome, Outcome::Success);
    assert!(finals[1].grant.is_none(), "no second grant");
    assert!(finals[1].facts.contains(&("replayed", "true".to_owned())));
}

#[tokio::test]
async fn two_at_once_are_one_mint() {
    let service = Service::new();
    let (one, other) = tokio::join!(
        service.ask(mint("alice service", "k")),
        service.ask(mint("alice service", "k")),
    );
    assert_eq!(value(&one), value(&other));
    assert!(value(&one).starts_with("ek_"));
    assert_eq!(service.world.minter.orders().len(), 1);
}

#[tokio::test]
async fn another_body_or_route_is_a_conflict() {
    let service = Service::new();
    service.ask(mint("alice service", "k")).await;
    let body = r#"{"session_id":"interview-1"}"#;
    let other = json(named(MINT, "alice service", "k"), body);
    let route = empty(named(INTERVIEW, "alice service", "k"));
    for request in [other, route] {
        let answer = service.ask(request).await;
        assert_eq!(answer.status, 422);
        assert_eq!(answer.code(), "idempotency_conflict");
    }
    assert_eq!(service.world.minter.orders().len(), 1);
}

#[tokio::test]
async fn another_caller_with_the_same_name_gets_their_own() {
    let service = Service::new();
    let alice = service.ask(mint("alice service", "k")).await;
    let bob = service.ask(mint("bob service", "k")).await;
    assert_eq!(bob.status, 201);
    assert_ne!(value(&alice), value(&bob));
    assert_eq!(bob.header("idempotency-replayed"), None);
}

#[tokio::test]
async fn a_secret_that_was_revoked_is_not_given_again() {
    let service = Service::new();
    let first = service.ask(mint("alice service", "k")).await.json();
    let id = first["id"].as_str().unwrap();
    let revoke = post(&format!("/api/client-secrets/{id}/revoke"));
    let revoked = service.ask(empty(revoke.by("alice service"))).await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    let again = service.ask(mint("alice service", "k")).await;
    assert_eq!(again.status, 403);
    assert_eq!(again.code(), "grant_revoked");
    assert!(!again.text().contains("ek_"));
    assert_eq!(service.world.minter.orders().len(), 1);
}

#[tokio::test]
async fn who_lost_the_permission_gets_nothing_again() {
    let service = Service::new();
    service.ask(mint("alice service", "k")).await;
    let again = service.ask(mint("alice reader", "k")).await;
    assert_eq!(again.status, 403);
    assert!(!again.text().contains("ek_"));
}

#[tokio::test]
async fn a_name_must_be_one() {
    let service = Service::new();
    let long = "k".repeat(256);
    let twice = named(MINT, "alice service", "a").header("idempotency-key", "b");
    let bad = [
        mint("alice service", ""),
        mint("alice service", &long),
        mint("alice service", "é"),
        empty(twice),
    ];
    for request in bad {
        let answer = service.ask(request).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.code(), "invalid_member");
    }
    assert!(service.world.minter.orders().is_empty());
    let longest = "k".repeat(255);
    let answer = service.ask(mint("alice service", &longest)).await;
    assert_eq!(answer.status, 201);
}
