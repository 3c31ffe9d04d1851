//! `kill -9` during mint, refresh and revoke: what was answered holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::Client;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{Place, shortest};
use crate::support::{client::try_send, now, post, sim, trail::Record};

/// Rounds of a usual run; `HALLPASS_ROUNDS` asks for others, as does
/// `cargo xtask crash`.
const ROUNDS: usize = 30;
/// Rounds between two looks at the whole trail, which grows: as many looks in
/// a long run as in a usual one.
const LOOKS: usize = 30;
/// Callers that never pause.
const CALLERS: usize = 6;

/// What callers were answered, over all rounds.
#[derive(Default)]
struct Log {
    /// Grants whose secret was answered, by id.
    grants: BTreeMap<String, Value>,
    /// Old grant and new one of each refresh that was answered.
    refreshes: BTreeMap<String, String>,
    /// Grants nobody has tried to refresh.
    fresh: Vec<Value>,
    /// Interviews whose revocation was answered.
    revoked: Vec<String>,
}

/// What callers share.
struct Shared {
    log: Mutex<Log>,
    answers: AtomicUsize,
    wanted: usize,
    enough: Notify,
    next: AtomicUsize,
}

/// Where to ask, and as whom.
#[derive(Clone)]
struct Way {
    client: Client,
    public: String,
    revocations: String,
    service: String,
    operator: String,
}

impl Shared {
    /// A grant that may be refreshed now.
    fn ripe(&self) -> Option<Value> {
        let mut log = self.log.lock().unwrap();
        let ripe = |grant: &Value| grant["refresh_after"].as_i64().unwrap() < now();
        let at = log.fresh.iter().position(ripe)?;
        Some(log.fresh.swap_remove(at))
    }

    fn answered(&self) {
        if self.answers.fetch_add(1, Ordering::SeqCst) + 1 == self.wanted {
            self.enough.notify_one();
        }
    }
}

/// Mints or refreshes until the server is gone.
async fn ask(way: Way, shared: Arc<Shared>) {
    loop {
        let ripe = shared.ripe();
        let path = ripe.as_ref().map_or_else(
            || "/api/generate-client-secret".to_owned(),
            |grant| {
                format!(
                    "/api/client-secrets/{}/refresh",
                    grant["id"].as_str().unwrap()
                )
            },
        );
        let url = format!("{}{path}", way.public);
        let sent = try_send(post(&way.client, &url, &way.service, &shortest())).await;
        let Ok(answer) = sent else { return };
        // The server was down for longer than the window.
        if ripe.is_some() && answer.status == 410 {
            continue;
        }
        assert_eq!(answer.status, 201, "{}", answer.text);
        let json = answer.json();
        let id = json["id"].as_str().unwrap().to_owned();
        let mut log = shared.log.lock().unwrap();
        if let Some(old) = ripe {
            assert_eq!(json["lineage"], old["lineage"]);
            let old = old["id"].as_str().unwrap().to_owned();
            log.refreshes.insert(old, id.clone());
        }
        log.fresh.push(json.clone());
        log.grants.insert(id, json);
        drop(log);
        shared.answered();
    }
}

/// Revokes one interview after another until the server is gone.
async fn revoke(way: Way, shared: Arc<Shared>) {
    loop {
        let target = format!("i-{}", shared.next.fetch_add(1, Ordering::SeqCst));
        let body = json!({ "kind": "session", "target": target });
        let sent = try_send(post(&way.client, &way.revocations, &way.operator, &body)).await;
        let Ok(answer) = sent else { return };
        assert_eq!(answer.status, 201, "{}", answer.text);
        shared.log.lock().unwrap().revoked.push(target);
        shared.answered();
    }
}

/// Kills the server in the midst of its work.
async fn crash(place: &mut Place, log: Log, next: usize, wanted: usize) -> (Log, usize) {
    let way = Way {
        client: place.serve.client.clone(),
        public: place.serve.url(""),
        revocations: place.serve.admin_url("/api/admin/revocations"),
        service: place.service.clone(),
        operator: place.operator.clone(),
    };
    let shared = Arc::new(Shared {
        log: Mutex::new(log),
        answers: AtomicUsize::new(0),
        wanted,
        enough: Notify::new(),
        next: AtomicUsize::new(next),
    });
    let mut tasks: Vec<_> = (0..CALLERS)
        .map(|_| tokio::spawn(ask(way.clone(), shared.clone())))
        .collect();
    tasks.push(tokio::spawn(revoke(way, shared.clone())));
    shared.enough.notified().await;
    place.serve.process.kill_9();
    for task in tasks {
        task.await.unwrap();
    }
    let shared = Arc::into_inner(shared).expect("all callers are done");
    let next = shared.next.into_inner();
    (shared.log.into_inner().unwrap(), next)
}

/// Client log, trail and simulator's log say the same.
async fn assert_agreement(place: &Place, log: &Log) {
    let records = place.site.trail().records();
    let issued: BTreeMap<&str, &Record> = records
        .iter()
        .filter(|record| ["grant.create", "grant.refresh"].contains(&record.action()))
        .filter(|record| !record.is_intent() && record.outcome() == "success")
        .map(|record| (record.grant_id(), record))
        .collect();
    let seen = sim::log(&place.serve.client, &place.sim.url).await;
    let upstream: BTreeSet<&str> = seen
        .iter()
        .filter_map(|entry| entry["request_id"].as_str())
        .collect();
    for (id, answered) in &log.grants {
        let record = issued
            .get(id.as_str())
            .unwrap_or_else(|| panic!("{id} has no record"));
        let value = answered["value"].as_str().unwrap();
        assert_eq!(record.grant()["secret_last4"], value[value.len() - 4..]);
        let request = record.upstream_request();
        assert!(upstream.contains(request), "{id} was minted by nobody");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heavy_what_was_answered_holds_after_every_crash() {
    let rounds = std::env::var("HALLPASS_ROUNDS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let mut place = Place::start();
    let (mut log, mut next) = (Log::default(), 0);
    // A grant is ripe for a refresh only after some seconds, and a slow disk may
    // keep a revocation longer than a round: it goes on until there was one of
    // each, with longer rounds.
    let saw_all = |log: &Log| !log.refreshes.is_empty() && !log.revoked.is_empty();
    for round in 0..rounds * 20 {
        if round >= rounds && saw_all(&log) {
            break;
        }
        let wanted = 5 + (round * 11) % 60 + 20 * round.saturating_sub(rounds);
        (log, next) = crash(&mut place, log, next, wanted).await;
        place.serve = crate::support::Serve::start(&place.site);
        if round.is_multiple_of((rounds / LOOKS).max(1)) {
            assert_eq!(place.site.trail().verified()["verdict"], "whole");
        }
        for target in log.revoked.iter().rev().take(3) {
            let body = json!({ "session_id": target });
            let answer = place.mint(&place.service, &body).await;
            assert_eq!(
                answer.code(),
                "access_revoked",
                "{target} after round {round}"
            );
        }
        for (old, new) in log.refreshes.iter().rev().take(3) {
            let old = place.state(&json!({ "id": old })).await;
            assert_eq!(old["superseded_by"], **new, "after round {round}");
        }
        if round % (rounds / 3).max(10) == 9 {
            assert_agreement(&place, &log).await;
        }
        println!("round {}", round + 1);
    }
    assert_eq!(place.site.trail().verified()["verdict"], "whole");
    assert_agreement(&place, &log).await;
    println!(
        "{} secrets, {} refreshes and {} revocations were answered, and all hold",
        log.grants.len(),
        log.refreshes.len(),
        log.revoked.len()
    );
    assert!(!log.revoked.is_empty(), "something was revoked");
    assert!(!log.refreshes.is_empty(), "and refreshed");
}
