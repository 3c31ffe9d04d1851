//! Records are OCSF 1.9 events of the right class.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod schema;
mod support;

use std::fs;

use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    code::Code,
    ports::Clock,
};
use serde_json::{Value, json};
use support::{StillClock, mint, open_hastily, quick_dir};

async fn written(events: Vec<AuditEvent>) -> Vec<Value> {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    support::append_all(&trail, events).await;
    let text = fs::read_to_string(&support::segments(dir.path())[0]).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_mint_is_an_api_activity_with_all_its_facts() {
    let (intent, outcome) = mint();
    let records = written(vec![intent, outcome]).await;
    records.iter().for_each(schema::check);
    let [intent, outcome] = records.as_slice() else {
        panic!("two records");
    };
    let mut expected = json!({
        "time_dt": "2026-11-18T11:06:40.123Z",
        "time": 1_795_000_000_123_u64,
        "category_uid": 6, "class_uid": 6003, "activity_id": 1, "type_uid": 600_301,
        "severity_id": 1, "status_id": 99, "status": "Pending",
        "actor": {"user": {"uid": "user-42", "credential_uid": "https://issuer.example"}},
        "api": {"operation": "grant.create"},
        "src_endpoint": {"ip": "203.0.113.7"},
        "http_request": {
            "uid": support::request().id.as_str(),
            "http_method": "POST",
            "url": {"path": "/api/generate-client-secret"},
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0)",
            "http_headers": [{"name": "Origin", "value": "https://app.example"}],
        },
        "resources": [{"type": "grant", "uid": support::draft().id.as_str()}],
        "unmapped": {"hallpass": {
            "action": "grant.create", "phase": "intent", "outcome": "pending",
            "credential": {"scheme": "jwt", "id": "https://issuer.example"},
            "roles": ["candidate"], "tenant": "acme", "session_id": "session-7",
            "draft": {
                "id": support::draft().id.as_str(), "lineage": support::draft().lineage.as_str(),
                "profile": "interview", "session_id": "session-7", "mode": "direct",
                "expires_after_seconds": 600,
            },
            "sequence": 0,
        }},
        "metadata": {
            "version": "1.9.0",
            "product": {"name": "Hallpass", "vendor_name": "Hallpass", "version": "1.2.3"},
            "log_name": "audit",
            "profiles": ["datetime", "host", "record_integrity"], "sequence": 0,
        },
    });
    let attestation = &intent["attestation_list"][0];
    let chain = attestation["chain_uid"].as_str().unwrap();
    expected["metadata"]["uid"] = json!(format!("{chain}:0"));
    expected["attestation_list"] = json!([{
        "chain_uid": chain,
        "fingerprint": {
            "algorithm_id": 3, "encoding_id": 1,
            "serialization": "hallpass-line-v1", "serialization_id": 99,
            "value": attestation["fingerprint"]["value"],
        },
    }]);
    assert_eq!(*intent, expected);
    let previous = &outcome["attestation_list"][0]["prev_event"];
    assert_eq!(previous["uid"], intent["metadata"]["uid"]);
    assert_eq!(
        previous["fingerprint"]["value"],
        attestation["fingerprint"]["value"]
    );
    assert_eq!(outcome["status_id"], 1);
    let ours = &outcome["unmapped"]["hallpass"];
    assert_eq!(ours["grant"]["secret_last4"], "wxyz");
    assert_eq!(ours["upstream"]["request_id"], "req_upstream");
    assert_eq!(ours["draft"], Value::Null);
}

#[tokio::test]
async fn every_action_has_a_class_and_what_the_class_requires() {
    use strum::IntoEnumIterator;
    let refused = Outcome::Refused {
        code: Code::InvalidCredential,
        reason: None,
    };
    let events = Action::iter().map(|action| {
        let mut event = AuditEvent::outcome(StillClock.now(), action, refused.clone());
        event.facts = vec![("key", "k1".to_owned())];
        event
    });
    for record in written(events.collect()).await {
        schema::check(&record);
        let class = record["class_uid"].as_u64().unwrap();
        let activity = record["activity_id"].as_u64().unwrap();
        assert_eq!(record["category_uid"].as_u64().unwrap(), class / 1000);
        assert_eq!(record["type_uid"].as_u64().unwrap(), class * 100 + activity);
        assert_eq!(record["status_code"], "invalid_credential");
        let required: &[&str] = match class {
            3002 => &["user", "service"],
            3004 => &["entity"],
            6002 => &["app"],
            6003 => &["actor", "api", "src_endpoint"],
            other => panic!("class {other}"),
        };
        let base = ["severity_id", "time", "metadata", "attestation_list"];
        for member in required.iter().chain(&base) {
            assert!(!record[*member].is_null(), "{member} of {record}");
        }
    }
}
