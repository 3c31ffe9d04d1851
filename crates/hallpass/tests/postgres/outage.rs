//! PostgreSQL restarts under load: who asks meanwhile waits or is told so, and
//! no server has to be restarted.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hallpass_testkit::postgres::Server;
use serde_json::json;

use super::pair::{api_key, command};
use crate::support::{Answer, Serve, Sim, Site, client, post, random_hex, send};

/// Callers that never pause.
const CALLERS: usize = 4;

/// A server on a database server of its own.
struct House {
    database: Server,
    serve: Serve,
    service: String,
    _sim: Sim,
    _site: Site,
}

impl House {
    fn open(more: &str) -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let database = Server::start();
        let store = format!("[store]\ndurable_file = \"durable\"\n{more}");
        let site = Site::new(&sim.url, &key, &store);
        std::fs::write(site.path("durable"), database.database("hallpass")).unwrap();
        let service = api_key(&site, "service", "svc");
        let serve = Serve::start_by(command(&site, &["serve"]));
        Self {
            database,
            serve,
            service,
            _sim: sim,
            _site: site,
        }
    }

    async fn mint(&self) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&client(), &url, &self.service, &json!({}))).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_database_is_survived_under_load() {
    let mut house = House::open("");
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let url = house.serve.url("/api/generate-client-secret");
            let (key, stop) = (house.service.clone(), stop.clone());
            tokio::spawn(async move {
                let (client, mut answers) = (client(), Vec::new());
                while !stop.load(Ordering::SeqCst) {
                    answers.push(send(post(&client, &url, &key, &json!({}))).await);
                }
                answers
            })
        })
        .collect();
    for _ in 0..2 {
        house.mint().await;
        house.database.stop();
        house.database.resume();
    }
    while house.mint().await.status != 201 {}
    stop.store(true, Ordering::SeqCst);
    let mut told = BTreeMap::new();
    for caller in callers {
        for answer in caller.await.unwrap() {
            if answer.status != 201 {
                assert_eq!(answer.status, 503, "{}", answer.text);
                assert_eq!(answer.json()["code"], "store_unavailable");
                assert!(!answer.header("retry-after").is_empty());
            }
            *told.entry(answer.status).or_insert(0) += 1;
        }
    }
    assert!(told[&201] > 0, "{told:?}");
    assert_eq!(house.mint().await.status, 201);
}

#[tokio::test]
async fn a_database_that_stays_away_is_told_and_comes_back_without_a_restart() {
    let mut house = House::open("[store.postgres]\npatience_ms = 1000\n");
    assert_eq!(house.mint().await.status, 201);
    house.database.stop();
    let away = house.mint().await;
    assert_eq!(away.status, 503, "{}", away.text);
    assert_eq!(away.json()["code"], "store_unavailable");
    assert!(!away.header("retry-after").is_empty());
    assert!(!away.text.contains("PostgreSQL"), "{}", away.text);
    house
        .serve
        .until_told("the database does not hear this replica", 1);
    house.database.resume();
    house
        .serve
        .until_told("the database hears this replica again", 1);
    assert_eq!(house.mint().await.status, 201);
}
