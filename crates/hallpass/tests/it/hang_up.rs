//! Callers who hang up, and deadlines that pass: nothing goes on after them.

use std::time::{Duration, Instant};

use hallpass_testkit::chaos::{Chaos, ChaosProxy};
use serde_json::{Value, json};

use crate::support::{
    Answer, Serve, Sim, Site, post, random_hex, send, sim, trail::Record, try_send,
};

/// How long a mint may take here.
const DEADLINE: Duration = Duration::from_millis(1500);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

struct House {
    serve: Serve,
    sim: Sim,
    site: Site,
    proxy: ChaosProxy,
    caller: String,
}

impl House {
    async fn open() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let proxy = ChaosProxy::start(sim.url["http://".len()..].parse().unwrap()).await;
        let url = format!("http://{}", proxy.address());
        let site = Site::new(&url, &key, "[mint]\nretry_budget_percent = 100\n");
        let deadline = format!("timeout_ms = {}", DEADLINE.as_millis());
        site.change("timeout_ms = 2000", &deadline);
        let caller = site.api_key("service", "svc");
        Self {
            serve: Serve::start(&site),
            sim,
            site,
            proxy,
            caller,
        }
    }

    fn request(&self) -> reqwest::RequestBuilder {
        let url = self.serve.url("/api/generate-client-secret");
        post(&self.serve.client, &url, &self.caller, &json!({}))
    }

    /// A mint's answer, and how long it took.
    async fn mint(&self) -> (Answer, Duration) {
        let started = Instant::now();
        (send(self.request()).await, started.elapsed())
    }

    async fn fault(&self, fault: Value) {
        sim::fault(&self.serve.client, &self.sim.url, fault).await;
    }

    async fn asked(&self) -> usize {
        sim::log(&self.serve.client, &self.sim.url).await.len()
    }

    /// Waits until so many calls failed since the last good one.
    async fn until_failures(&self, calls: u64) {
        loop {
            let health = self.serve.client.get(self.serve.url("/health"));
            let upstream = &send(health).await.json()["upstream"];
            if upstream["consecutive_failures"] == calls {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The phases and outcomes of the mints' records.
    fn recorded(&self) -> Vec<(String, String)> {
        let told = |record: &Record| {
            let phase = &record.0["unmapped"]["hallpass"]["phase"];
            let phase = phase.as_str().unwrap().to_owned();
            (phase, record.outcome().to_owned())
        };
        let records = self.site.trail().records();
        let mints = records.iter().filter(|it| it.action() == "grant.create");
        mints.map(told).collect()
    }

    async fn until_abandoned(&self) {
        while !self
            .recorded()
            .iter()
            .any(|(_, outcome)| outcome == "abandoned")
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Fails, and asks for so many milliseconds before the next attempt.
fn again_after(milliseconds: u32) -> Value {
    json!({
        "route": "client_secrets", "kind": "status", "status": 429,
        "headers": { "retry-after-ms": milliseconds.to_string() },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_before_the_retry_has_none() {
    let house = House::open().await;
    house.fault(again_after(900)).await;
    assert_eq!(house.mint().await.0.status, 503);
    assert_eq!(house.asked().await, 2, "who waits has one retry");
    sim::no_faults(&house.serve.client, &house.sim.url).await;
    assert_eq!(house.mint().await.0.status, 201);

    house.fault(again_after(900)).await;
    let under_way = tokio::spawn(try_send(house.request()));
    house.until_failures(1).await;
    under_way.abort();
    house.until_abandoned().await;
    tokio::time::sleep(Duration::from_millis(900 + 250 + 100)).await;
    assert_eq!(house.asked().await, 4, "what was not sent is not sent");
    let recorded = house.recorded().split_off(5);
    let told = |phase: &str, outcome: &str| (phase.to_owned(), outcome.to_owned());
    assert_eq!(
        recorded,
        [
            told("intent", "pending"),
            told("attempt", "failed"),
            told("outcome", "abandoned")
        ],
        "and the attempt that was made is recorded"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_while_openai_is_silent_frees_the_connection() {
    let house = House::open().await;
    house.proxy.set(Chaos::Silence);
    let under_way = tokio::spawn(try_send(house.request()));
    while house.proxy.open() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    under_way.abort();
    house.until_abandoned().await;
    house.proxy.until_open_at_most(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_runs_after_the_deadline() {
    let house = House::open().await;
    house.proxy.set(Chaos::Silence);
    let (answer, took) = house.mint().await;
    assert_eq!((answer.status, &*answer.code()), (504, "upstream_timeout"));
    assert!(took < DEADLINE + SLACK, "{took:?}");
    house.proxy.until_open_at_most(0).await;

    // The first attempt fails when its time is nearly over, so the second
    // meets the deadline.
    house.proxy.set(Chaos::None);
    assert_eq!(house.mint().await.0.status, 201);
    let slow = json!({
        "route": "client_secrets", "kind": "status", "status": 500,
        "delay_ms": 1000, "times": 1,
    });
    house.fault(slow).await;
    house
        .fault(json!({ "route": "client_secrets", "kind": "hang" }))
        .await;
    let (answer, took) = house.mint().await;
    assert_eq!((answer.status, &*answer.code()), (504, "upstream_timeout"));
    assert!(took < DEADLINE + SLACK, "one deadline for both: {took:?}");
    let asked = house.asked().await;
    house.proxy.until_open_at_most(0).await;
    tokio::time::sleep(DEADLINE).await;
    assert_eq!(house.asked().await, asked, "nothing comes later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_does_not_fit_the_deadline_is_not_waited_for() {
    let house = House::open().await;
    house.fault(again_after(10_000)).await;
    let (answer, took) = house.mint().await;
    assert_eq!(
        (answer.status, &*answer.code()),
        (503, "upstream_rate_limited")
    );
    assert!(took < SLACK, "{took:?}");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 10);
    assert_eq!(house.asked().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_do_not_wait_do_not_hide_that_openai_is_silent() {
    let house = House::open().await;
    house.proxy.set(Chaos::Silence);
    for _ in 0..5 {
        let impatient = tokio::spawn(try_send(house.request()));
        tokio::time::sleep(DEADLINE * 2 / 3).await;
        impatient.abort();
        let _ = impatient.await;
    }
    house.proxy.until_open_at_most(0).await;
    let (answer, took) = house.mint().await;
    assert_eq!(
        (answer.status, &*answer.code()),
        (503, "upstream_unavailable"),
        "{took:?}"
    );
}
