//! What one replica does, the other knows.

use std::time::{Duration, Instant};

use serde_json::json;

use super::pair::{Shared, api_key, command};
use crate::support::{Run, Sim, Site, now, random_hex};

pub(crate) struct House {
    pub(crate) sim: Sim,
    pub(crate) shared: Shared,
    pub(crate) service: String,
    pub(crate) operator: String,
    pub(crate) first: Site,
}

impl House {
    pub(crate) fn open() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let shared = Shared::new(&sim.url, &key);
        let first = shared.site("a");
        Self {
            service: api_key(&first, "service", "svc"),
            operator: api_key(&first, "operator", "adm"),
            sim,
            shared,
            first,
        }
    }
}

/// Waits for something another replica must come to know.
pub(crate) async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "it never came to pass"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_grant_made_by_one_is_found_listed_and_revoked_at_the_other() {
    let house = House::open();
    let (a, b) = (
        house.shared.start(house.first.clone()),
        house.shared.node("b"),
    );
    let minted = a.mint(&house.service, &json!({})).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    let id = minted.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/client-secrets/{id}");
    let found = b.get(&house.service, &path).await.json();
    assert_eq!(
        (&found["id"], &found["state"]),
        (&json!(id), &json!("active"))
    );
    let listed = b.get(&house.service, "/api/client-secrets").await.json();
    assert_eq!(listed["data"][0]["id"], json!(id));
    let revoked = b
        .post(&house.service, &format!("{path}/revoke"), &json!({}))
        .await;
    assert_eq!(revoked.status, 200, "{}", revoked.text);
    let seen = a.get(&house.service, &path).await.json();
    assert_eq!(seen["state"], "revoked");
}

#[tokio::test]
async fn a_revocation_reaches_every_replica_and_so_does_its_end() {
    let house = House::open();
    let (a, b) = (
        house.shared.start(house.first.clone()),
        house.shared.node("b"),
    );
    let token = a.site.token("user-1", 600);
    assert_eq!(b.mint(&token, &json!({})).await.status, 201);
    let body = json!({ "kind": "subject", "target": "user-1" });
    let added = a
        .admin_post(&house.operator, "/api/admin/revocations", &body)
        .await;
    assert_eq!(added.status, 201, "{}", added.text);
    let refused = || async { b.mint(&token, &json!({})).await.status == 403 };
    until(refused).await;
    let id = added.json()["id"].as_str().unwrap().to_owned();
    let lift = format!("/api/admin/revocations/{id}/lift");
    let lifted = b.admin_post(&house.operator, &lift, &json!({})).await;
    assert_eq!(lifted.status, 200, "{}", lifted.text);
    until(|| async { a.mint(&token, &json!({})).await.status == 201 }).await;
}

#[tokio::test]
async fn an_interview_has_its_grants_from_all_replicas_together() {
    let house = House::open();
    let (a, b) = (
        house.shared.start(house.first.clone()),
        house.shared.node("b"),
    );
    let interview = json!({
        "session_id": "i-1", "subject": "service", "expires_at": now() + 600, "max_grants": 2,
    });
    let registered = a
        .admin_post(&house.operator, "/api/admin/interviews", &interview)
        .await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    let body = json!({ "session_id": "i-1" });
    let mut answers = Vec::new();
    for node in [&a, &b, &a, &b] {
        answers.push(node.mint(&house.service, &body).await.status);
    }
    assert_eq!(answers[..2], [201, 201]);
    assert!(
        answers[2..].iter().all(|status| *status != 201),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_replica_with_another_installation_key_or_anothers_name_is_refused() {
    let house = House::open();
    let _a = house.shared.start(house.first.clone());
    let foreign = house.shared.site("b");
    std::fs::write(foreign.path("install-key"), [7; 32]).unwrap();
    let refused = Run::of(command(&foreign, &["serve"]), "");
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .err
            .contains("installation key is not that of the replicas"),
        "{}",
        refused.err
    );
    let same = house.shared.site("a");
    let refused = Run::of(command(&same, &["serve"]), "");
    assert_eq!(refused.code, 2);
    assert!(
        refused
            .err
            .contains("another replica goes by the name \"a\""),
        "{}",
        refused.err
    );
    for said in [refused.err, refused.out] {
        assert!(!said.contains(&house.shared.database.url()), "{said}");
    }
}
