//! `kill -9` of a replica under load: every grant that was answered is there.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tokio::sync::Notify;

use super::replicas::House;
use crate::support::{client::try_send, post};

/// How often a replica is killed.
const CRASHES: usize = 4;
/// Callers that never pause.
const CALLERS: usize = 8;

/// Answers until the server is gone; tells when there are enough.
async fn ask(url: String, key: String, tally: Arc<(AtomicUsize, usize, Notify)>) -> Vec<String> {
    let (client, mut held) = (crate::support::client(), Vec::new());
    while let Ok(answer) = try_send(post(&client, &url, &key, &json!({}))).await {
        assert_eq!(answer.status, 201, "{}", answer.text);
        held.push(answer.json()["id"].as_str().unwrap().to_owned());
        if tally.0.fetch_add(1, Ordering::SeqCst) + 1 == tally.1 {
            tally.2.notify_one();
        }
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_grant_that_was_answered_is_lost() {
    let house = House::open();
    let (mut a, b) = (
        house.shared.start(house.first.clone()),
        house.shared.node("b"),
    );
    let mut answered = BTreeSet::new();
    for crash in 0..CRASHES {
        let tally = Arc::new((AtomicUsize::new(0), 1 + crash * 11, Notify::new()));
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let url = a.serve.url("/api/generate-client-secret");
                tokio::spawn(ask(url, house.service.clone(), tally.clone()))
            })
            .collect();
        tally.2.notified().await;
        a.serve.process.kill_9();
        for caller in callers {
            answered.extend(caller.await.unwrap());
        }
        a.restart();
    }
    assert!(answered.len() > CRASHES);
    for node in [&a, &b] {
        for id in &answered {
            let found = node
                .get(&house.service, &format!("/api/client-secrets/{id}"))
                .await;
            assert_eq!(found.status, 200, "{id}: {}", found.text);
        }
    }
}
