//! Too many mints fail, and then they don't.

use serde_json::{Value, json};

use crate::support::{Serve, Sim, Site, post, random_hex, send, sim};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_mints_raise_the_alarm_once_and_end_it() {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let site = Site::new(&sim.url, &key, "[mint]\nalarm_min_mints = 4\n");
    let caller = site.api_key("service", "svc");
    let serve = Serve::start(&site);
    let mint = async || {
        let url = serve.url("/api/generate-client-secret");
        send(post(&serve.client, &url, &caller, &json!({})))
            .await
            .status
    };
    let metric = async |name: &str| {
        let page = send(serve.client.get(serve.admin_url("/metrics")))
            .await
            .text;
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
    };
    let bad = json!({ "route": "client_secrets", "kind": "status", "status": 400 });
    sim::fault(&serve.client, &sim.url, bad).await;
    for _ in 0..3 {
        assert_eq!(mint().await, 502);
    }
    assert_eq!(metric("hallpass_mint_alarm ").await.unwrap(), "0");
    for _ in 0..3 {
        assert_eq!(mint().await, 502);
    }
    assert_eq!(metric("hallpass_mint_alarm ").await.unwrap(), "1");
    let causes = "hallpass_mint_failures_recent{code=\"upstream_rejected\"} ";
    assert!(metric(causes).await.is_some());

    sim::no_faults(&serve.client, &sim.url).await;
    for _ in 0..60 {
        assert_eq!(mint().await, 201);
    }
    serve.until_told("mints succeed again", 1);
    assert_eq!(metric("hallpass_mint_alarm ").await.unwrap(), "0");

    let records = site.trail().all();
    let told: Vec<&Value> = records
        .iter()
        .filter(|record| record.action() == "security.anomaly")
        .map(|record| &record.0["unmapped"]["hallpass"])
        .filter(|ours| ours["facts"]["alarm"] == "mint_failures")
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["facts"]["state"], "raised");
    assert_eq!(told[0]["facts"]["causes"], "upstream_rejected 4");
    assert_eq!(told[0]["code"], "upstream_rejected");
    assert_eq!(told[1]["facts"]["state"], "ended");
}
