//! Keys and configuration that change while the server serves.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Answer, Run, Serve, Sim, Site, binary, post, random_hex, send, sim};

const READ: &str = "the configuration was read again";
const REFUSED: &str = "the new configuration was refused; the old one stays";

struct House {
    serve: Serve,
    sim: Sim,
    site: Site,
    caller: String,
    operator: String,
}

impl House {
    /// A server whose upstream's key is in a file.
    fn open(key_in_file: &str, good_key: &str) -> Self {
        let sim = Sim::start(good_key);
        // The environment's key would outdo the file's.
        let site = Site::new(&sim.url, "", "");
        site.change(
            "timeout_ms = 2000",
            "timeout_ms = 2000\napi_key_file = \"openai-key\"",
        );
        std::fs::write(site.path("openai-key"), key_in_file).unwrap();
        let caller = site.api_key("service", "svc");
        let operator = site.api_key("operator", "adm");
        Self {
            serve: Serve::start(&site),
            sim,
            site,
            caller,
            operator,
        }
    }

    fn whole() -> Self {
        let key = format!("sk-{}", random_hex(16));
        Self::open(&key, &key)
    }

    async fn mint(&self, body: &Value) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&self.serve.client, &url, &self.caller, body)).await
    }

    /// Asks the server to read its configuration again, and waits for its word.
    fn reload(&self, word: &str) {
        let before = self.serve.told(word);
        self.serve.process.signal(Signal::HUP);
        self.serve.until_told(word, before + 1);
    }

    /// The records of changed configurations: outcome, what, why.
    fn changes(&self) -> Vec<(String, String, String)> {
        let records = self.site.trail().records();
        let changes = records.iter().filter(|it| it.action() == "config.change");
        changes
            .map(|record| {
                let ours = &record.0["unmapped"]["hallpass"];
                let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
                let what = text(&ours["facts"]["changed"]);
                (record.outcome().to_owned(), what, text(&ours["reason"]))
            })
            .collect()
    }

    fn upstreams(&self, arguments: &[&str]) -> Run {
        let mut command = binary();
        command
            .arg("upstreams")
            .args(arguments)
            .env("HALLPASS_URL", self.serve.admin_url(""))
            .env("HALLPASS_ADMIN_KEY", &self.operator);
        Run::of(command, "")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_exchanged_without_a_restart() {
    let (old, new) = (random_hex(16), random_hex(16));
    let (old, new) = (format!("sk-{old}"), format!("sk-{new}"));
    let house = House::open(&old, &new);
    let refused = house.mint(&json!({})).await;
    assert_eq!(
        (refused.status, &*refused.code()),
        (503, "upstream_key_refused")
    );
    let told = "refuses this upstream's standard key";
    house.serve.until_told(told, 1);

    // As a secret store writes it: beside, then renamed over the old one.
    std::fs::write(house.site.path("next"), format!("{new}\n")).unwrap();
    std::fs::rename(house.site.path("next"), house.site.path("openai-key")).unwrap();
    house.serve.until_told(READ, 1);

    assert_eq!(house.mint(&json!({})).await.status, 201);
    let last_four = new[new.len() - 4..].to_owned();
    let log = sim::log(&house.serve.client, &house.sim.url).await;
    assert_eq!(log.last().unwrap()["credential_last_four"], last_four);
    let changes = house.changes();
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (&*changes[0].0, &*changes[0].1),
        ("success", "the key of upstream \"openai\"")
    );
    for line in house.site.trail().lines() {
        assert!(!line.contains(&old) && !line.contains(&new));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_configuration_is_put_in_force_by_sighup() {
    let house = House::whole();
    let ask = json!({ "profile": "second" });
    assert_ne!(house.mint(&ask).await.status, 201, "there is none yet");
    house.site.change(
        "[roles.service]\nprofiles = [\"interview\"]",
        "[profiles.second]\nmodes = [\"direct\"]\nsession = { type = \"realtime\", model = \"gpt-realtime-2.1\" }\n\n[roles.service]\nprofiles = [\"interview\", \"second\"]",
    );
    house.reload(READ);
    let minted = house.mint(&ask).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    assert_eq!(
        house.changes(),
        [("success".into(), "profiles, roles".into(), String::new())]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_configuration_is_refused_and_the_old_one_stays() {
    let house = House::whole();
    let good = house.site.configuration();
    let bad = [
        ("no TOML", format!("{good}\n[[[")),
        (
            "an unknown member",
            good.replace("[[upstream]]", "[[upstream]]\nkolour = 1"),
        ),
        (
            "a role of a profile that is not there",
            good.replace("profiles = [\"interview\"]", "profiles = [\"nowhere\"]"),
        ),
        (
            "what needs a restart",
            good.replace("drain_delay_seconds = 0", "drain_delay_seconds = 9"),
        ),
        ("a key that is gone", good.replace("openai-key", "no-key")),
        ("nothing", String::new()),
    ];
    for (number, (what, text)) in bad.iter().enumerate() {
        assert_ne!(*text, good, "{what}");
        std::fs::write(house.site.path("hallpass.toml"), text).unwrap();
        house.reload(REFUSED);
        let minted = house.mint(&json!({})).await;
        assert_eq!(minted.status, 201, "{what}: {}", minted.text);
        let changes = house.changes();
        assert_eq!(changes.len(), number + 1, "{what}");
        let (outcome, _, why) = &changes[number];
        assert_eq!(outcome, "refused", "{what}");
        assert!(!why.is_empty(), "{what} has a reason");
    }
    assert_eq!(house.serve.told(READ), 0);

    std::fs::write(
        house.site.path("hallpass.toml"),
        good.replace(
            "per_address_per_minute = 1000000",
            "per_address_per_minute = 1000000\nglobal_per_minute = 100000",
        ),
    )
    .unwrap();
    house.reload(READ);
    // Its record comes after the change's, and is there when it is answered.
    assert_eq!(house.mint(&json!({})).await.status, 201);
    assert_eq!(house.changes().last().unwrap().1, "limits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_holds_a_breaker_and_lets_it_go() {
    let house = House::whole();
    let gauge = async || {
        let page = send(house.serve.client.get(house.serve.admin_url("/metrics"))).await;
        let line = page.text.lines().find_map(|line| {
            let rest = line.strip_prefix("hallpass_breaker_state{upstream=\"openai\"")?;
            rest.split_once("} ").map(|(_, value)| value.to_owned())
        });
        line.expect("the gauge")
    };
    assert_eq!(house.mint(&json!({})).await.status, 201);
    assert_eq!(gauge().await, "0");

    let listed = house.upstreams(&["force", "openai", "open"]).done();
    assert!(listed.contains("open (forced)"), "{listed}");
    let refused = house.mint(&json!({})).await;
    assert_eq!(
        (refused.status, &*refused.code()),
        (503, "upstream_unavailable")
    );
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(gauge().await, "2");
    let health = send(house.serve.client.get(house.serve.url("/health")))
        .await
        .json();
    assert_eq!(health["upstreams"][0]["forced"], true);
    assert_eq!(
        health["unwell"][0]["what"],
        "breaker open: an operator's wish"
    );
    assert!(health["unwell"][0]["since"].is_string());

    // A configuration that is read again is no operator who lets it go.
    house.site.change("timeout_ms = 2000", "timeout_ms = 2001");
    house.reload(READ);
    assert_eq!(house.mint(&json!({})).await.status, 503);
    assert_eq!(gauge().await, "2");

    let url = house.serve.admin_url("/api/admin/upstreams/openai/breaker");
    let auto = json!({ "state": "auto" });
    let theirs = send(post(&house.serve.client, &url, &house.caller, &auto)).await;
    assert_eq!(theirs.status, 403, "a service may not");
    let ours = send(post(&house.serve.client, &url, &house.operator, &auto)).await;
    assert_eq!(ours.status, 200, "{}", ours.text);
    assert_eq!(house.mint(&json!({})).await.status, 201);
    assert_eq!(gauge().await, "0");
    let nobody = house.upstreams(&["force", "nowhere", "open"]);
    assert_ne!(nobody.code, 0);

    let asked = sim::log(&house.serve.client, &house.sim.url).await;
    assert_eq!(asked.len(), 2, "a breaker held open lets nothing through");
    let records = house.site.trail().records();
    let changes: Vec<_> = records
        .iter()
        .filter(|record| record.action() == "breaker.change")
        .map(|record| &record.0["unmapped"]["hallpass"]["facts"])
        .collect();
    assert_eq!(changes.first().unwrap()["to"], "open");
    assert_eq!(changes.last().unwrap()["to"], "closed");
    assert!(changes.iter().all(|facts| facts["forced"] == "true"));
    let by = records
        .iter()
        .filter(|record| record.0.to_string().contains("\"breaker\":\"open\""));
    assert_eq!(by.count(), 1, "and who did it is recorded");
}
