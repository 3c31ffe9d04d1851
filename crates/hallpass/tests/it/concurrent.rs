//! Two hundred callers at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{Dev, post, send, trail::Record};

const CALLERS: usize = 200;

/// The records of one grant.
#[derive(Default)]
struct Records<'a> {
    intents: Vec<&'a Record>,
    outcomes: Vec<&'a Record>,
}

fn by_grant(records: &[Record]) -> BTreeMap<&str, Records<'_>> {
    let mut grants: BTreeMap<&str, Records<'_>> = BTreeMap::new();
    for record in records {
        if record.action() != "grant.create" {
            continue;
        }
        let grant = grants.entry(record.grant_id()).or_default();
        match record.is_intent() {
            true => grant.intents.push(record),
            false => grant.outcomes.push(record),
        }
    }
    grants
}

async fn mint_all(dev: &Dev) -> Vec<Value> {
    let url = dev.url("/api/generate-client-secret");
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let body = json!({ "session_id": format!("interview-{number}") });
            let request = post(&dev.client, &url, &dev.file.api_key, &body);
            tokio::spawn(async move { (number, send(request).await) })
        })
        .collect();
    let mut answers = Vec::new();
    for caller in callers {
        let (number, answer) = caller.await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text);
        let json = answer.json();
        assert_eq!(json["session_id"], format!("interview-{number}"));
        answers.push(json);
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_are_answered_and_every_record_agrees() {
    let dev = Dev::start();
    let answers = mint_all(&dev).await;
    let values: BTreeSet<&str> = answers
        .iter()
        .map(|it| it["value"].as_str().unwrap())
        .collect();
    assert_eq!(values.len(), CALLERS, "all secrets are distinct");

    let records = dev.trail().records();
    let grants = by_grant(&records);
    assert_eq!(grants.len(), CALLERS);
    let log = dev.upstream_log().await;
    assert_eq!(log.len(), CALLERS, "one call to OpenAI for each");
    let upstream: BTreeMap<&str, &Value> = log
        .iter()
        .map(|entry| (entry["request_id"].as_str().unwrap(), entry))
        .collect();
    assert_eq!(upstream.len(), CALLERS);

    for answer in &answers {
        let grant = &grants[answer["id"].as_str().unwrap()];
        let [intent] = grant.intents[..] else {
            panic!("one intent");
        };
        let [outcome] = grant.outcomes[..] else {
            panic!("one outcome");
        };
        assert!(intent.sequence() < outcome.sequence());
        assert_eq!(
            (intent.outcome(), outcome.outcome()),
            ("pending", "success")
        );
        let seen = upstream[outcome.upstream_request()];
        let value = answer["value"].as_str().unwrap();
        let last4 = &value[value.len() - 4..];
        assert_eq!(seen["secret_last_four"], last4);
        assert_eq!(outcome.grant()["secret_last4"], last4);
        assert_eq!(outcome.grant()["upstream_request_id"], seen["request_id"]);
        assert!(outcome.grant()["expires_at"].is_string());
    }
    assert_eq!(dev.trail().verified()["verdict"], "whole");
    let lines = dev.trail().lines().concat();
    assert!(values.iter().all(|value| !lines.contains(value)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_count_each_of_them() {
    let dev = Dev::start();
    mint_all(&dev).await;
    let metrics = dev.admin("/metrics").await.text;
    let counted = metrics.lines().any(|line| {
        line.starts_with("hallpass_") && line.contains("\"success\"") && line.ends_with(" 200")
    });
    assert!(counted, "{metrics}");
}
