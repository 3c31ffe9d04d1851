//! Users and mints: many tokens, failures, refusals, use that looks like an attack.

use serde_json::json;

use super::House;
use crate::support::sim;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mints_that_fail_are_an_alert_until_they_succeed_again() {
    let house = House::open("").await;
    let bad = json!({ "route": "client_secrets", "kind": "status", "status": 400 });
    sim::fault(&house.serve.client, &house.sim.url, bad).await;
    for _ in 0..6 {
        assert_eq!(house.mint_as(&house.service, &json!({})).await.status, 502);
    }
    let begun = house.hook.begins("mint_failures").await;
    assert_eq!(begun["severity"], "warning");
    assert_eq!(begun["threshold"], 5.0);
    assert!(begun["value"].as_f64().unwrap() > 5.0);
    sim::no_faults(&house.serve.client, &house.sim.url).await;
    for _ in 0..20 {
        assert_eq!(house.mint_as(&house.service, &json!({})).await.status, 201);
    }
    house.hook.ends("mint_failures").await;
    let sent = house.hook.sent();
    let of_users = sent
        .iter()
        .filter(|it| it.turn().ends_with("tokens_per_user"));
    assert_eq!(of_users.count(), 0, "a service mints for many");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_refusals_is_an_alert_of_whoever_is_refused() {
    let house = House::open("").await;
    let user = house.site.token("guesser", 600);
    for _ in 0..25 {
        let answer = house.mint_as(&user, &json!({ "profile": "hidden" })).await;
        assert_eq!(answer.status, 403);
    }
    let begun = house.hook.begins("refusals_burst").await;
    assert_eq!(begun["cause"]["about"], "subject guesser");
    house.hook.ends("refusals_burst").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_user_who_keeps_trying_is_an_alert() {
    let house = House::open("").await;
    let user = house.site.token("revoked-1", 600);
    let revoked = json!({ "kind": "subject", "target": "revoked-1" });
    let answer = house.ask("/api/admin/revocations", revoked).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    for _ in 0..6 {
        let answer = house.mint_as(&user, &json!({})).await;
        assert!(answer.status >= 400, "{}", answer.text);
    }
    let begun = house.hook.begins("suspicious_use").await;
    assert_eq!(begun["cause"]["anomaly"], "revoked_persists");
    assert_eq!(begun["cause"]["about"], "subject revoked-1");
    house.hook.ends("suspicious_use").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_key_near_its_end_is_an_alert_until_it_is_revoked() {
    let house = House::open("").await;
    let made = json!({
        "name": "nightly", "kind": "svc", "roles": ["service"], "expires_in_seconds": 5 * 86_400,
    });
    let made = house.ask("/api/admin/keys", made).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let begun = house.hook.begins("expiring").await;
    assert!(begun["cause"]["what"].as_str().unwrap().contains("nightly"));
    assert!(
        (4.9..=5.0).contains(&begun["value"].as_f64().unwrap()),
        "{begun}"
    );
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/admin/keys/{id}/revoke");
    assert_eq!(house.ask(&path, json!({})).await.status, 200);
    house.hook.ends("expiring").await;
}
