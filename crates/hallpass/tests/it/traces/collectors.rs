//! A collector that is away, hangs, refuses or leads elsewhere.

use serde_json::Value;

use super::*;

/// Spans are sent as they come, and few may wait.
const EAGER: &str = "gather_ms = 1\nbatch_spans = 2\nqueue_spans = 4\ntimeout_ms = 1000\n";

/// A server with such a collector, and a caller's key.
fn serve(endpoint: &str) -> (Sim, Site, Serve, String) {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let traces = format!("[traces]\nendpoint = \"{endpoint}\"\n{EAGER}");
    let site = Site::new(&sim.url, &key, &traces);
    let caller = site.api_key("service", "svc");
    let serve = Serve::start(&site);
    (sim, site, serve, caller)
}

async fn mint(serve: &Serve, caller: &str) {
    let request = post(&serve.client, &serve.url(MINT), caller, &json!({}));
    let minted = send(request).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
}

async fn counted(serve: &Serve, outcome: &str) -> f64 {
    let page = send(serve.client.get(serve.admin_url("/metrics")))
        .await
        .text;
    let name = format!("hallpass_trace_spans_total{{outcome=\"{outcome}\"}} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("{name} in {page}"))
        .parse()
        .unwrap()
}

async fn until_counted(serve: &Serve, outcome: &str, least: f64) {
    while counted(serve, outcome).await < least {
        tokio::task::yield_now().await;
    }
}

async fn health(serve: &Serve) -> Value {
    send(serve.client.get(serve.admin_url("/health")))
        .await
        .json()
}

/// What `/health` says of traces.
fn unwell(health: &Value) -> Option<&str> {
    let parts = health["unwell"].as_array().unwrap();
    let ours = parts.iter().find(|part| part["part"] == "traces")?;
    assert!(ours["since"].is_string());
    ours["what"].as_str()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let (_sim, _site, mut serve, caller) = serve(&endpoint);
    mint(&serve, &caller).await;
    // A mint has more spans than may wait.
    until_counted(&serve, "dropped", 1.0).await;
    let mut report = health(&serve).await;
    while unwell(&report).is_none() {
        report = health(&serve).await;
    }
    assert_eq!(report["status"], "ok", "{report}");
    assert!(
        unwell(&report).unwrap().contains("takes no spans"),
        "{report}"
    );
    mint(&serve, &caller).await;
    assert!(serve.process.end(Signal::INT).success());
    assert!(serve.told("traces: stopped before all spans were taken") > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_holds_up_neither_mints_nor_the_end() {
    let collector = Collector::start(Taking::Nothing).await;
    let (_sim, _site, mut serve, caller) = serve(&collector.url);
    mint(&serve, &caller).await;
    collector.asked(1).await;
    mint(&serve, &caller).await;
    // Three seconds are what is left may take; the process is not held longer.
    let ended = serve.process.end(Signal::INT);
    assert!(ended.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_a_while_is_sent_again() {
    let collector = Collector::start(Taking::Status(503)).await;
    let (_sim, _site, serve, caller) = serve(&collector.url);
    mint(&serve, &caller).await;
    collector.asked(1).await;
    collector.set(Taking::All);
    until_counted(&serve, "exported", 2.0).await;
    let sent = collector.sent();
    assert_eq!(sent[0].body, sent[1].body, "the same once more");
    assert_eq!(unwell(&health(&serve).await), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_good_is_counted_and_not_repeated() {
    let collector = Collector::start(Taking::Status(400)).await;
    let (_sim, _site, serve, caller) = serve(&collector.url);
    mint(&serve, &caller).await;
    until_counted(&serve, "failed", 2.0).await;
    collector.set(Taking::AllBut(1));
    mint(&serve, &caller).await;
    until_counted(&serve, "rejected", 1.0).await;
    let sent = collector.sent();
    let bodies: std::collections::BTreeSet<_> = sent.iter().map(|sent| &sent.body).collect();
    assert_eq!(bodies.len(), sent.len(), "nothing came twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed() {
    let elsewhere = Collector::start(Taking::All).await;
    let to = format!("{}/v1/traces", elsewhere.url);
    let collector = Collector::start(Taking::Redirects(to)).await;
    let (_sim, _site, mut serve, caller) = serve(&collector.url);
    mint(&serve, &caller).await;
    until_counted(&serve, "failed", 2.0).await;
    assert!(serve.process.end(Signal::INT).success());
    assert!(elsewhere.sent().is_empty());
}
