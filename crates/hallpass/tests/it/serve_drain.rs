//! SIGTERM while requests are under way.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{
    Answer, Serve, Sim, Site, Stream, client, client::try_send, post, random_hex, sim,
};

struct House {
    serve: Serve,
    sim: Sim,
    site: Site,
}

impl House {
    fn open() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, "");
        Self {
            serve: Serve::start(&site),
            sim,
            site,
        }
    }

    fn mint_outcomes(&self) -> Vec<String> {
        let records = self.site.trail().records();
        let mints = records
            .iter()
            .filter(|record| record.action() == "grant.create");
        mints.map(|record| record.outcome().to_owned()).collect()
    }

    /// Sends a mint and returns once OpenAI holds it.
    async fn mint_under_way(&self, fault: Value) -> JoinHandle<Result<Answer, reqwest::Error>> {
        sim::fault(&self.serve.client, &self.sim.url, fault).await;
        let url = self.serve.url("/api/generate-client-secret");
        let token = self.site.token("user-1", 600);
        let request = post(&self.serve.client, &url, &token, &json!({}));
        let under_way = tokio::spawn(try_send(request));
        while sim::log(&self.serve.client, &self.sim.url).await.is_empty() {
            tokio::task::yield_now().await;
        }
        under_way
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_finished_first() {
    let mut house = House::open();
    let slow = json!({ "route": "client_secrets", "kind": "delay", "delay_ms": 1000 });
    let under_way = house.mint_under_way(slow).await;
    house.serve.process.signal(Signal::TERM);
    let answer = under_way.await.unwrap().unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text);
    let status = house.serve.process.ended_within(Duration::from_secs(5));
    assert_eq!(status.code(), Some(0));

    assert_eq!(house.site.trail().verified()["verdict"], "whole");
    let records = house.site.trail().records();
    let actions: Vec<&str> = records.iter().map(|record| record.action()).collect();
    assert_eq!(
        actions,
        [
            "server.start",
            "grant.create",
            "grant.create",
            "server.stop"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_new_is_let_in_meanwhile() {
    let mut house = House::open();
    let slow = json!({ "route": "client_secrets", "kind": "delay", "delay_ms": 1000 });
    let under_way = house.mint_under_way(slow).await;
    house.serve.process.signal(Signal::TERM);
    house.serve.process.wait_for(Stream::Err, |line| {
        line.contains("finishing what is under way").then_some(())
    });
    let url = house.serve.url("/readyz");
    while let Ok(answer) = client::client().get(&url).send().await {
        assert_eq!(
            answer.status(),
            503,
            "told to go elsewhere until the door is shut"
        );
    }
    assert_eq!(under_way.await.unwrap().unwrap().status, 201);
    assert!(
        house
            .serve
            .process
            .ended_within(Duration::from_secs(5))
            .success()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_does_not_wait() {
    let mut house = House::open();
    let hanging = json!({ "route": "client_secrets", "kind": "hang" });
    let under_way = house.mint_under_way(hanging).await;
    house.serve.process.signal(Signal::TERM);
    house.serve.process.wait_for(Stream::Err, |line| {
        line.contains("finishing what is under way").then_some(())
    });
    house.serve.process.signal(Signal::TERM);
    // The mint's own deadline is two seconds.
    let status = house
        .serve
        .process
        .ended_within(Duration::from_millis(1500));
    assert_eq!(status.code(), Some(0));
    assert!(under_way.await.unwrap().is_err(), "the caller is cut off");
    assert_eq!(house.mint_outcomes(), ["pending", "abandoned"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_goes_away_is_recorded() {
    let mut house = House::open();
    let hanging = json!({ "route": "client_secrets", "kind": "hang" });
    let under_way = house.mint_under_way(hanging).await;
    under_way.abort();
    let _ = under_way.await;
    while house.site.trail().lines().len() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.mint_outcomes(), ["pending", "abandoned"]);
    assert!(house.serve.process.end(Signal::TERM).success());
    assert_eq!(house.mint_outcomes(), ["pending", "abandoned"]);
}
