//! Upstreams that fail, and one that refuses its key.

use serde_json::json;

use super::House;
use crate::support::sim;

/// A breaker that opens at once and tries again soon.
const SOON: &str =
    "\n[upstream.breaker]\nconsecutive_failures = 2\nopen_ms = 50\nmax_open_ms = 100\n";

async fn house() -> House {
    let hook = crate::support::hook::Hook::start(204).await;
    House::open_to(hook, "", |site| {
        site.change("timeout_ms = 2000", &format!("timeout_ms = 2000{SOON}"));
        crate::support::Serve::start(site)
    })
}

/// Fails until an alert begins, then mends it and mints until it ends.
async fn fails_and_mends(house: &House, status: u16, rule: &str) -> serde_json::Value {
    let bad = json!({ "route": "client_secrets", "kind": "status", "status": status });
    sim::fault(&house.serve.client, &house.sim.url, bad).await;
    for _ in 0..3 {
        assert_ne!(house.mint_as(&house.service, &json!({})).await.status, 201);
    }
    let begun = house.hook.begins(rule).await;
    sim::no_faults(&house.serve.client, &house.sim.url).await;
    while house.mint_as(&house.service, &json!({})).await.status != 201 {
        tokio::task::yield_now().await;
    }
    house.hook.ends(rule).await;
    begun
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_breaker_is_an_alert_until_it_closes() {
    let house = house().await;
    let begun = fails_and_mends(&house, 500, "breaker_open").await;
    assert_eq!(begun["cause"]["upstream"], "openai");
    assert!(
        begun["summary"]
            .as_str()
            .unwrap()
            .contains("openai is open: ")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_standard_key_is_critical_and_no_open_breaker() {
    let house = house().await;
    let begun = fails_and_mends(&house, 401, "upstream_key_refused").await;
    assert_eq!(begun["severity"], "critical");
    let sent = house.hook.sent();
    let open = sent.iter().filter(|it| it.turn().ends_with("breaker_open"));
    assert_eq!(open.count(), 0);
}
