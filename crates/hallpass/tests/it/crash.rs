//! `kill -9` under load: nothing was answered that is not recorded.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{Dev, client::try_send, post, trail::Record};

/// How often the server is killed.
const CRASHES: usize = 50;
/// Callers that never pause.
const CALLERS: usize = 8;

/// One secret a caller holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    id: String,
    last4: String,
}

/// Counts answers and tells when there are enough.
struct Tally {
    answers: AtomicUsize,
    wanted: usize,
    enough: Notify,
}

/// Asks until the server is gone.
async fn ask(client: Client, url: String, key: String, tally: Arc<Tally>) -> Vec<Held> {
    let mut held = Vec::new();
    while let Ok(answer) = try_send(post(&client, &url, &key, &json!({}))).await {
        assert_eq!(answer.status, 201, "{}", answer.text);
        let json = answer.json();
        let value = json["value"].as_str().unwrap();
        held.push(Held {
            id: json["id"].as_str().unwrap().to_owned(),
            last4: value[value.len() - 4..].to_owned(),
        });
        if tally.answers.fetch_add(1, Ordering::SeqCst) + 1 == tally.wanted {
            tally.enough.notify_one();
        }
    }
    held
}

/// Kills the server in the midst of its work and gives what callers hold.
async fn crash_after(dev: &mut Dev, wanted: usize) -> Vec<Held> {
    let tally = Arc::new(Tally {
        answers: AtomicUsize::new(0),
        wanted,
        enough: Notify::new(),
    });
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let url = dev.url("/api/generate-client-secret");
            let key = dev.file.api_key.clone();
            tokio::spawn(ask(dev.client.clone(), url, key, tally.clone()))
        })
        .collect();
    tally.enough.notified().await;
    dev.process.kill_9();
    let mut held = Vec::new();
    for caller in callers {
        held.extend(caller.await.unwrap());
    }
    held
}

fn assert_recorded(held: &[Held], records: &[Record]) {
    for Held { id, last4 } in held {
        let of_grant = records.iter().filter(|record| record.grant_id() == id);
        let (intents, outcomes): (Vec<_>, Vec<_>) = of_grant.partition(|record| record.is_intent());
        assert_eq!(intents.len(), 1, "the intent of {id}");
        assert_eq!(outcomes.len(), 1, "the outcome of {id}");
        assert_eq!(outcomes[0].outcome(), "success");
        assert_eq!(outcomes[0].grant()["secret_last4"], *last4);
    }
}

fn ids(page: &Value) -> BTreeSet<String> {
    let grants = page["data"].as_array().unwrap().iter();
    grants
        .map(|grant| grant["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The ids of all grants, following the pages.
async fn all_listed(dev: &Dev) -> BTreeSet<String> {
    let (mut listed, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = dev
            .admin(&format!("/api/admin/grants?limit=200{cursor}"))
            .await
            .json();
        listed.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return listed,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_nothing_was_answered_without_its_two_records() {
    let mut dev = Dev::start();
    let mut every_held: Vec<Held> = Vec::new();
    let mut read = 0;
    for crash in 0..CRASHES {
        // Now early, now late: from the first answer to some dozens.
        let held = crash_after(&mut dev, 1 + (crash * 7) % 40).await;
        let records = dev.trail().records();
        assert_recorded(&held, &records[read.min(records.len())..]);
        read = records.len();

        dev = Dev::start_in(&dev.dir());
        assert_eq!(dev.trail().verified()["verdict"], "whole");
        let newest = dev.admin("/api/admin/grants?limit=200").await.json();
        let listed = ids(&newest);
        let lost: Vec<_> = held.iter().filter(|it| !listed.contains(&it.id)).collect();
        assert!(lost.is_empty(), "not listed after crash {crash}: {lost:?}");
        every_held.extend(held);
    }
    let listed = all_listed(&dev).await;
    assert!(every_held.iter().all(|held| listed.contains(&held.id)));
    let log: BTreeSet<&Held> = every_held.iter().collect();
    assert_eq!(log.len(), every_held.len(), "no grant was answered twice");
}
