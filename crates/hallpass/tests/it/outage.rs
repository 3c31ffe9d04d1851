//! OpenAI is away altogether, and comes back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Answer, Serve, Sim, Site, post, random_hex, send, sim, try_send};

/// How long a breaker stays open here; a fifth less by chance.
const INTERVAL: Duration = Duration::from_millis(500);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

struct House {
    serve: Serve,
    sim: Sim,
    _site: Site,
    caller: String,
}

impl House {
    fn open() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, "");
        let interval = INTERVAL.as_millis();
        site.change(
            "timeout_ms = 2000",
            &format!(
                "timeout_ms = 2000\nbreaker = {{ open_ms = {interval}, max_open_ms = {interval} }}"
            ),
        );
        let caller = site.api_key("service", "svc");
        Self {
            serve: Serve::start(&site),
            sim,
            _site: site,
            caller,
        }
    }

    async fn mint(&self) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&self.serve.client, &url, &self.caller, &json!({}))).await
    }

    /// So many mints at once; their statuses.
    async fn mint_at_once(&self, mints: usize) -> Vec<u16> {
        let url = self.serve.url("/api/generate-client-secret");
        let under_way: Vec<_> = (0..mints)
            .map(|_| {
                let request = post(&self.serve.client, &url, &self.caller, &json!({}));
                tokio::spawn(try_send(request))
            })
            .collect();
        let mut statuses = Vec::new();
        for mint in under_way {
            statuses.push(mint.await.unwrap().unwrap().status);
        }
        statuses
    }

    async fn fault(&self, fault: Value) {
        sim::fault(&self.serve.client, &self.sim.url, fault).await;
    }

    async fn healed(&self) {
        sim::no_faults(&self.serve.client, &self.sim.url).await;
    }

    /// Mints the simulator saw.
    async fn asked(&self) -> usize {
        sim::log(&self.serve.client, &self.sim.url).await.len()
    }
}

fn down() -> Value {
    json!({ "route": "client_secrets", "kind": "status", "status": 500 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_costs_few_attempts_and_ends_by_itself() {
    let house = House::open();
    house.fault(down()).await;
    for _ in 0..5 {
        assert_eq!(house.mint().await.status, 503);
    }
    assert_eq!(house.asked().await, 5, "at most 1.1 attempts a request");
    let refused = house.mint().await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "upstream_unavailable")
    );
    assert!(!refused.header("retry-after").is_empty());
    house.healed().await;
    let healed = Instant::now();
    while house.mint().await.status != 201 {
        assert!(
            healed.elapsed() < INTERVAL + SLACK,
            "within one probe interval"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        house.asked().await,
        6,
        "the probe is the first that is let through"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_saved_up_in_calm_are_not_spent_in_an_outage() {
    let house = House::open();
    const CALM: usize = 50;
    for _ in 0..CALM {
        assert_eq!(house.mint().await.status, 201);
    }
    house.fault(down()).await;
    let statuses = house.mint_at_once(40).await;
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    let attempts = house.asked().await - CALM;
    // One may be tried again: its failure was the first.
    assert!(attempts <= 41, "{attempts} attempts of 40 requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_probes_reach_an_upstream_that_is_away() {
    let house = House::open();
    house.fault(down()).await;
    for _ in 0..5 {
        house.mint().await;
    }
    let (opened, before) = (Instant::now(), house.asked().await);
    let mut requests = 0;
    while opened.elapsed() < 4 * INTERVAL {
        requests += house.mint_at_once(10).await.len();
    }
    let probes = house.asked().await - before;
    // Chance makes an interval shorter by a fifth at most.
    let most = opened.elapsed().as_millis() / (INTERVAL * 4 / 5).as_millis() + 1;
    assert!(probes >= 1, "it is looked after");
    assert!(
        probes as u128 <= most,
        "{probes} probes of {requests} requests, {most} at most"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_probe_at_a_time_and_all_others_are_answered_meanwhile() {
    let house = House::open();
    house.fault(down()).await;
    for _ in 0..5 {
        house.mint().await;
    }
    house.healed().await;
    // So slow that every other mint meets the probe under way.
    house
        .fault(json!({ "route": "client_secrets", "kind": "delay", "delay_ms": 1500 }))
        .await;
    let before = house.asked().await;
    tokio::time::sleep(INTERVAL).await;
    let mut statuses = house.mint_at_once(30).await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "the probe is answered");
    assert!(statuses[1..].iter().all(|status| *status == 503));
    assert_eq!(house.asked().await - before, 1);
    house.healed().await;
    assert_eq!(house.mint().await.status, 201, "and closes the breaker");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_key_of_two_costs_one_attempt() {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let second = format!(
        "[[upstream]]\nname = \"second\"\nbase_url = \"{}/v1\"\nweight = 0\napi_key = \"{key}\"\n",
        sim.url
    );
    let site = Site::new(&sim.url, &format!("sk-{}", random_hex(16)), &second);
    let caller = site.api_key("service", "svc");
    let serve = Serve::start(&site);
    let url = serve.url("/api/generate-client-secret");
    for _ in 0..10 {
        let answer = send(post(&serve.client, &url, &caller, &json!({}))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let asked = sim::log(&serve.client, &sim.url).await;
    assert_eq!(asked.len(), 11, "the bad key is asked once");
    let health = send(serve.client.get(serve.url("/health"))).await.json();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["unwell"][0]["part"], "upstream openai");
    assert_eq!(
        send(serve.client.get(serve.url("/readyz"))).await.status,
        200
    );
}
