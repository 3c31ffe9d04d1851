//! Every alert that needs no configuration, from its cause to its end, as a
//! receiver of webhooks sees it.

mod audit;
mod certificate;
mod outbox;
mod scan;
mod sessions;
mod upstream;
mod users;

use serde_json::{Value, json};

use crate::support::{Answer, Serve, Sim, Site, hook::Hook, post, random_hex, send};

/// Settings that make every rule look often and forget soon, and a receiver.
fn settings(hook: &Hook, secret: &str, more: &str) -> String {
    let mut text = "[alerts]\nlook_ms = 50\n".to_owned();
    for name in [
        "tokens_per_user",
        "pass_reused",
        "refusals_burst",
        "suspicious_use",
    ] {
        text += &format!("[[alerts.rule]]\nname = \"{name}\"\nwindow_seconds = 2\n");
    }
    text += "[[alerts.rule]]\nname = \"mint_failures\"\nwindow_seconds = 2\nmin_mints = 4\n";
    for name in [
        "audit_lagging",
        "checkpoint_undelivered",
        "breaker_open",
        "scan_failing",
    ] {
        text +=
            &format!("[[alerts.rule]]\nname = \"{name}\"\nhold_seconds = 0\nsettle_seconds = 0\n");
    }
    let url = &hook.url;
    text += &format!(
        "[[alerts.webhook]]\nname = \"ops\"\nurl = \"{url}\"\nsecret = \"{secret}\"\n\
         allow_private_addresses = true\nretry_seconds = 1\nmax_retry_seconds = 1\n"
    );
    text + more
}

/// A secret of Standard Webhooks, made anew.
fn signing_secret() -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};

    format!("whsec_{}", STANDARD.encode(random_hex(16)))
}

/// A server whose alerts go to a receiver.
struct House {
    site: Site,
    sim: Sim,
    serve: Serve,
    hook: Hook,
    service: String,
    operator: String,
    key: String,
}

impl House {
    async fn open(more: &str) -> Self {
        Self::open_to(Hook::start(204).await, more, Serve::start)
    }

    fn open_to(hook: Hook, more: &str, start: impl FnOnce(&Site) -> Serve) -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, &settings(&hook, &signing_secret(), more));
        let service = site.api_key("service", "svc");
        let operator = site.api_key("operator", "adm");
        let serve = start(&site);
        Self {
            site,
            sim,
            serve,
            hook,
            service,
            operator,
            key,
        }
    }

    /// Makes an API key of a role, which the server knows at once.
    async fn key_of(&self, role: &str) -> String {
        let made = json!({ "name": role, "kind": "svc", "roles": [role] });
        let made = self.ask("/api/admin/keys", made).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["key"].as_str().unwrap().to_owned()
    }

    async fn mint_as(&self, bearer: &str, body: &Value) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        send(post(&self.serve.client, &url, bearer, body)).await
    }

    async fn admin(&self, path: &str) -> Value {
        let request = self.serve.client.get(self.serve.admin_url(path));
        let answer = send(request.bearer_auth(&self.operator)).await;
        assert_eq!(answer.status, 200, "{path} {}", answer.text);
        answer.json()
    }

    async fn ask(&self, path: &str, body: Value) -> Answer {
        let url = self.serve.admin_url(path);
        send(post(&self.serve.client, &url, &self.operator, &body)).await
    }

    /// The value of a metric, by its whole name with labels.
    async fn metric(&self, name: &str) -> Option<String> {
        let page = send(self.serve.client.get(self.serve.admin_url("/metrics"))).await;
        let mut lines = page.text.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map(str::to_owned)
    }

    /// The records of alerts: action, rule, fingerprint.
    fn records(&self, rule: &str) -> Vec<String> {
        let all = self.site.trail().all();
        let ours = all.iter().filter(|record| record.fact("rule") == rule);
        let ours = ours.filter(|record| record.action().starts_with("alert."));
        ours.map(|record| record.action().to_owned()).collect()
    }
}

/// What an alert's API answer and its webhook share.
fn same_alert(api: &Value, sent: &Value) {
    for member in [
        "id",
        "fingerprint",
        "rule",
        "severity",
        "cause",
        "threshold",
    ] {
        assert_eq!(api[member], sent[member], "{member}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_is_told_in_every_place_once_and_ends_in_all_of_them() {
    let house = House::open("").await;
    let user = house.site.token("user-42", 600);
    for _ in 0..11 {
        assert_eq!(house.mint_as(&user, &json!({})).await.status, 201);
    }
    let sent = house.hook.begins("tokens_per_user").await;
    assert_eq!(sent["severity"], "info");
    assert_eq!(sent["cause"]["subject"], "user-42");
    assert_eq!(sent["value"], 11.0);
    house.serve.until_told("an alert began", 1);

    house.hook.ends("tokens_per_user").await;
    let listed = house.admin("/api/admin/alerts?rule=tokens_per_user").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    same_alert(&listed["data"][0], &sent);
    assert_eq!(listed["data"][0]["state"], "ended");
    let active = "hallpass_alerts_active{rule=\"tokens_per_user\",severity=\"info\"}";
    assert_eq!(house.metric(active).await.as_deref(), Some("0"));
    let started = "hallpass_alerts_started_total{rule=\"tokens_per_user\",severity=\"info\"}";
    assert_eq!(house.metric(started).await.as_deref(), Some("1"));
    assert_eq!(
        house.records("tokens_per_user"),
        ["alert.start", "alert.end"]
    );
    let listed = crate::support::Run::of(
        {
            let mut command = crate::support::binary();
            command
                .args(["alerts", "list", "--state", "all", "--json"])
                .env("HALLPASS_URL", house.serve.admin_url(""))
                .env("HALLPASS_ADMIN_KEY", &house.operator);
            command
        },
        "",
    );
    let listed = listed.json_lines();
    assert_eq!(listed.len(), 1);
    same_alert(&listed[0], &sent);
}
