//! Refreshes of one grant at once, and secrets that are given twice.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Place, shortest};
use crate::support::{Answer, post, send, sim};

/// Callers at once.
const CALLERS: usize = 8;

/// A grant that may be refreshed now, and its holder's credential.
async fn ripe(place: &Place) -> (Value, String) {
    let bearer = place.site.token("user-1", 600);
    let grant = place.mint(&bearer, &shortest()).await.json();
    let left = grant["refresh_after"].as_i64().unwrap() - crate::support::now();
    tokio::time::sleep(Duration::from_secs(left.unsigned_abs() + 1)).await;
    (grant, bearer)
}

/// Asks from all callers at once, while OpenAI takes its time.
async fn at_once(place: &Place, grant: &Value, bearer: &str, key: Option<&str>) -> Vec<Answer> {
    let slow = json!({ "route": "client_secrets", "kind": "delay", "delay_ms": 700 });
    sim::fault(&place.serve.client, &place.sim.url, slow).await;
    let id = grant["id"].as_str().unwrap();
    let url = place
        .serve
        .url(&format!("/api/client-secrets/{id}/refresh"));
    let asked = (0..CALLERS).map(|_| {
        let request = post(&place.serve.client, &url, bearer, &json!({}));
        send(match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        })
    });
    let answers = join_all(asked).await;
    sim::no_faults(&place.serve.client, &place.sim.url).await;
    answers
}

async fn mints(place: &Place) -> usize {
    let log = sim::log(&place.serve.client, &place.sim.url);
    log.await.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_refreshes_at_once_one_asks_openai_and_the_others_are_told() {
    let place = Place::start();
    let (grant, bearer) = ripe(&place).await;
    let before = mints(&place).await;
    let answers = at_once(&place, &grant, &bearer, None).await;
    let (given, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(given.len(), 1);
    for answer in refused {
        let told = (answer.status, answer.code());
        assert_eq!(told, (409, "refresh_under_way".to_owned()));
        assert_eq!(answer.header("retry-after"), "1");
        assert!(answer.sentence().contains("Idempotency-Key"));
    }
    assert_eq!(mints(&place).await, before + 1);
    let next = given[0].json();
    assert_eq!(place.state(&grant).await["superseded_by"], next["id"]);
    let late = place.on(&grant, "refresh", &bearer, &json!({})).await;
    assert_eq!((late.status, &*late.code()), (409, "grant_superseded"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_one_idempotency_key_all_get_the_same_secret() {
    let place = Place::start();
    let (grant, bearer) = ripe(&place).await;
    let before = mints(&place).await;
    let answers = at_once(&place, &grant, &bearer, Some("once")).await;
    let first = answers[0].json();
    for answer in &answers {
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.json()["value"], first["value"]);
    }
    let again = answers
        .iter()
        .filter(|it| it.header("idempotency-replayed") == "true");
    assert_eq!(again.count(), CALLERS - 1);
    assert_eq!(mints(&place).await, before + 1);
}

/// A revocation holds for secrets that were given before, too.
#[tokio::test]
async fn a_revoked_grants_secret_is_not_given_again() {
    let place = Place::start();
    let bearer = place.site.token("user-1", 600);
    let url = place.serve.url("/api/generate-client-secret");
    let ask = || {
        let request = post(&place.serve.client, &url, &bearer, &json!({}));
        send(request.header("idempotency-key", "mint"))
    };
    let given = ask().await.json();
    assert_eq!(ask().await.json()["value"], given["value"]);
    let id = given["id"].as_str().unwrap();
    let revoke = place
        .serve
        .admin_url(&format!("/api/admin/grants/{id}/revoke"));
    let revoke = place.serve.client.post(revoke).bearer_auth(&place.operator);
    assert_eq!(send(revoke).await.status, 200);
    let after = ask().await;
    assert_eq!((after.status, &*after.code()), (403, "grant_revoked"));
    assert!(!after.text.contains("ek_"));
}
