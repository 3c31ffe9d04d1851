//! The dashboards of `ops/grafana`, each query asked of a real Prometheus that
//! scrapes a running server under load.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Process, Serve, Sim, Site, Stream, client, post, random_hex, send};

/// How long until every query must have an answer.
const BOUND: Duration = Duration::from_secs(60);
/// What Grafana puts in for its own variable, for so quick a scrape.
const RATE_INTERVAL: &str = "5s";

fn ops(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../ops/grafana")).join(name)
}

fn dashboard() -> Value {
    let text = std::fs::read(ops("dashboards/hallpass.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The title of a panel and what it asks.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let panels = dashboard["panels"].as_array().unwrap();
    let asked = panels.iter().flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap();
        targets.iter().map(move |target| {
            let asked = target["expr"].as_str().unwrap();
            (
                title.to_owned(),
                asked.replace("$__rate_interval", RATE_INTERVAL),
            )
        })
    });
    asked.collect()
}

#[test]
fn the_dashboard_is_whole_and_asks_the_provisioned_source() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let source = dashboard["panels"][0]["datasource"]["uid"]
        .as_str()
        .unwrap();
    let provisioned = ops("provisioning/datasources/prometheus.yml");
    let provisioned = std::fs::read_to_string(provisioned).unwrap();
    assert!(provisioned.contains(&format!("uid: {source}")));
    for panel in panels {
        assert_ne!(panel["description"].as_str().unwrap_or(""), "", "{panel}");
        assert_eq!(panel["datasource"]["uid"], source);
    }
    for (title, asked) in queries(&dashboard) {
        assert!(
            asked.contains("job=\"hallpass\""),
            "{title} asks of others, too"
        );
        assert!(!asked.contains('$'), "{title} asks by a variable: {asked}");
    }
}

/// A server that is asked and scraped.
struct Scraped {
    serve: Serve,
    _sim: Sim,
    _site: Site,
    caller: String,
    prometheus: Process,
    url: String,
}

impl Scraped {
    fn start() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, "");
        let caller = site.api_key("service", "svc");
        let serve = Serve::start(&site);
        let config = site.path("prometheus.yml");
        let scrape = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms }}\nscrape_configs:\n  - job_name: hallpass\n    static_configs: [ {{ targets: [\"{}\"] }} ]\n",
            serve.admin
        );
        std::fs::write(&config, scrape).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                site.path("tsdb").display()
            ))
            .arg("--web.listen-address=127.0.0.1:0");
        let prometheus = Process::start(command);
        let address = prometheus.wait_for(Stream::Err, |line| {
            let (_, address) = line.split_once("msg=\"Listening on\" address=")?;
            Some(address.trim().to_owned())
        });
        Self {
            serve,
            _sim: sim,
            _site: site,
            caller,
            prometheus,
            url: format!("http://{address}/api/v1/query"),
        }
    }

    /// A few requests: good ones, and one that is refused.
    async fn load(&self) {
        let url = self.serve.url("/api/generate-client-secret");
        for body in [json!({}), json!({}), json!({"profile": "none"})] {
            send(post(&self.serve.client, &url, &self.caller, &body)).await;
        }
    }

    /// Whether a query has an answer that is a number.
    async fn answers(&self, asked: &str) -> bool {
        let encoded: String = url::form_urlencoded::byte_serialize(asked.as_bytes()).collect();
        let answer = send(client().get(format!("{}?query={encoded}", self.url))).await;
        let answer = answer.json();
        assert_eq!(answer["status"], "success", "{asked}: {answer}");
        let found = answer["data"]["result"].as_array().unwrap();
        let number = |sample: &Value| sample["value"][1].as_str()?.parse::<f64>().ok();
        let mut numbers = found.iter().filter_map(number);
        numbers.any(f64::is_finite)
    }
}

#[tokio::test]
async fn each_panel_shows_something_of_a_server_under_load() {
    let mut scraped = Scraped::start();
    let began = Instant::now();
    let mut open = queries(&dashboard());
    while !open.is_empty() {
        assert!(began.elapsed() < BOUND, "without an answer: {open:#?}");
        scraped.load().await;
        let (_, asked) = &open[0];
        if scraped.answers(asked).await {
            open.remove(0);
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    scraped.prometheus.end(Signal::TERM);
}
