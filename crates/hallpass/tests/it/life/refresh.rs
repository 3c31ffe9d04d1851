//! The next secret of a lineage, and what a page reports.

use std::time::Duration;

use serde_json::json;

use super::{Place, shortest};

#[tokio::test]
async fn a_grant_is_refreshed_in_its_window_and_only_once() {
    let place = Place::start();
    let bearer = place.site.token("user-1", 600);
    let first = place.mint(&bearer, &shortest()).await.json();

    let early = place.on(&first, "refresh", &bearer, &json!({})).await;
    assert_eq!((early.status, &*early.code()), (409, "refresh_too_early"));
    let wait: u64 = early.header("retry-after").parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    let stranger = place.site.token("user-2", 600);
    let theirs = place.on(&first, "refresh", &stranger, &json!({})).await;
    assert_eq!((theirs.status, &*theirs.code()), (404, "not_found"));

    // Who waits as told is not early.
    tokio::time::sleep(Duration::from_secs(wait)).await;
    let next = place.on(&first, "refresh", &bearer, &shortest()).await;
    assert_eq!(next.status, 201, "{}", next.text);
    let next = next.json();
    assert_eq!(next["lineage"], first["lineage"]);
    assert_ne!(next["id"], first["id"]);
    assert_ne!(next["value"], first["value"]);
    assert_eq!(place.state(&first).await["superseded_by"], next["id"]);

    let again = place.on(&first, "refresh", &bearer, &json!({})).await;
    assert_eq!((again.status, &*again.code()), (409, "grant_superseded"));
    let revoked = place.on(&next, "revoke", &place.service, &json!({})).await;
    assert_eq!(revoked.status, 404, "another caller's");
    let url = format!("/api/admin/grants/{}/revoke", next["id"].as_str().unwrap());
    let url = place.serve.admin_url(&url);
    let request = place.serve.client.post(url).bearer_auth(&place.operator);
    let revoked = crate::support::send(request).await.json();
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(revoked["unexpired_secrets"]["count"], 1);
    let after = place.on(&next, "refresh", &bearer, &json!({})).await;
    assert_eq!((after.status, &*after.code()), (403, "grant_revoked"));

    let records = place.site.trail().all();
    let told: Vec<_> = records
        .iter()
        .filter(|record| record.action() == "security.anomaly")
        .collect();
    assert_eq!(told.len(), 1, "the reuse, once");
    let refreshed = records
        .iter()
        .filter(|record| record.action() == "grant.refresh" && record.outcome() == "success");
    assert_eq!(refreshed.count(), 1);
}

#[tokio::test]
async fn reports_move_a_grant_on_and_an_unreported_one_expires_in_time() {
    let place = Place::start();
    let bearer = place.site.token("user-1", 600);
    let silent = place.mint(&bearer, &shortest()).await.json();
    let grant = place.mint(&bearer, &shortest()).await.json();
    let steps = [
        (json!({ "type": "connected" }), "connected"),
        (
            json!({ "type": "usage", "usage": { "total_tokens": 253 } }),
            "connected",
        ),
        (
            json!({ "type": "disconnected", "reason": "user_hung_up" }),
            "ended",
        ),
        (json!({ "type": "connected" }), "ended"),
    ];
    for (body, state) in steps {
        let answer = place.on(&grant, "events", &bearer, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json()["state"], state, "{body}");
    }
    let odd = json!({ "type": "connected", "mood": "good" });
    let odd = place.on(&grant, "events", &bearer, &odd).await;
    assert_eq!((odd.status, &*odd.code()), (400, "unknown_member"));

    assert_eq!(place.state(&silent).await["state"], "active");
    let due = silent["expires_at"].as_i64().unwrap() - crate::support::now();
    tokio::time::sleep(Duration::from_secs(due.unsigned_abs() + 1)).await;
    assert_eq!(place.state(&silent).await["state"], "expired");
    assert_eq!(place.state(&grant).await["state"], "ended");
    let records = place.site.trail().records();
    let seen = |action: &str| records.iter().any(|record| record.action() == action);
    assert!(seen("grant.expire"), "the timer came by");

    let url = place.serve.admin_url("/metrics");
    let metrics = crate::support::send(place.serve.client.get(url)).await.text;
    for task in [crate::WRITER, "grant-expiry", "grant-retention"] {
        let line = format!("hallpass_task_last_success_timestamp_seconds{{task=\"{task}\"}}");
        assert!(metrics.contains(&line), "{line}");
    }
}
