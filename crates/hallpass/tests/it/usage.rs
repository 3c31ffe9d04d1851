//! Usage and counts, held against the audit trail they come from, number by
//! number: the API, its table, the command line.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::support::{
    Answer, Run, Serve, Sim, Site, binary, post, random_hex, send, sim, trail::Record,
};

const MORE: &str = r#"
[profiles.relayed]
mode = "relay"
modes = ["relay"]
session = { type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask." }

[profiles.short]
mode = "relay"
modes = ["relay"]
max_session_seconds = 1
session = { type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask." }

[roles.talker]
profiles = ["interview", "relayed", "short"]
permissions = ["grants:create"]
"#;

/// Counts by name.
type Counts = BTreeMap<String, u64>;

struct House {
    site: Site,
    sim: Sim,
    serve: Serve,
    talker: String,
    operator: String,
}

impl House {
    fn open() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, MORE);
        let talker = site.api_key("talker", "svc");
        let operator = site.api_key("operator", "adm");
        let serve = Serve::start(&site);
        Self {
            site,
            sim,
            serve,
            talker,
            operator,
        }
    }

    async fn mint(&self, bearer: &str, profile: &str) -> Answer {
        let url = self.serve.url("/api/generate-client-secret");
        let body = json!({ "profile": profile });
        send(post(&self.serve.client, &url, bearer, &body)).await
    }

    /// A session of one turn, closed by its client or by its time.
    async fn talk(&self, profile: &str) {
        let pass = self.mint(&self.talker, profile).await.json();
        let url = format!("ws://{}/v1/realtime", self.serve.public);
        let mut request = url.into_client_request().unwrap();
        let secret = pass["value"].as_str().unwrap();
        let offers = format!("realtime, openai-insecure-api-key.{secret}");
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", offers.parse().unwrap());
        let (mut socket, _) = connect_async(request).await.unwrap();
        let ask = json!({"type": "response.create"}).to_string();
        socket.send(Message::text(ask)).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            let done = message.to_text();
            let done = done.is_ok_and(|it| it.contains("response.done"));
            if done && profile == "relayed" {
                socket.close(None).await.unwrap();
            }
        }
    }

    async fn read(&self, query: &str, accept: &str) -> Answer {
        let url = self.serve.admin_url(&format!("/api/admin/usage{query}"));
        let request = self.serve.client.get(url).bearer_auth(&self.operator);
        send(request.header("accept", accept)).await
    }

    /// The report, once so many records are counted.
    async fn report(&self, query: &str, records: u64) -> Value {
        let start = Instant::now();
        loop {
            let answer = self.read(query, "application/json").await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let report = answer.json();
            if report["counted_records"].as_u64().unwrap() >= records {
                return report;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "{report}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Records up to the last that counts something: what the server adds of
    /// its own accord need not be waited for.
    fn records(&self) -> u64 {
        let all = self.site.trail().all();
        let last = all.iter().rfind(|it| what(it).is_some());
        last.unwrap().sequence() + 1
    }

    /// Waits until so many sessions are over, as the trail says.
    async fn ended(&self, sessions: usize) {
        let start = Instant::now();
        let over = |house: &Self| {
            let all = house.site.trail().all();
            let ends = all.iter().filter(|it| it.action() == "session.end");
            ends.count()
        };
        while over(self) < sessions {
            assert!(start.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn usage(&self, more: &[&str]) -> Run {
        let mut command = binary();
        command
            .arg("usage")
            .args(more)
            .env("HALLPASS_URL", self.serve.admin_url(""))
            .env("HALLPASS_ADMIN_KEY", &self.operator);
        Run::of(command, "")
    }
}

/// What a record counts as, in the words of the report; none where it counts
/// nothing.
fn what(record: &Record) -> Option<String> {
    let is_mint = matches!(record.action(), "grant.create" | "grant.refresh");
    if record.0["unmapped"]["hallpass"]["phase"] != "outcome" {
        return None;
    }
    Some(match (record.action(), record.outcome()) {
        (_, "success") if is_mint => "mints".to_owned(),
        ("session.start", "success") => "sessions_started".to_owned(),
        ("session.end", "success") => format!("disconnects {}", record.fact("reason")),
        _ if !record.0["http_request"].is_object() => return None,
        (_, "refused") => format!("refusals {}", record.code()),
        (_, "failed") => format!("failures {}", record.code()),
        _ => return None,
    })
}

/// Whose a record is.
fn whose(record: &Record) -> String {
    let subject = record.grant()["subject"].as_str();
    let actor = record.0["actor"]["user"]["uid"].as_str();
    subject.or(actor).unwrap_or("").to_owned()
}

/// What the trail itself says, by what a record belongs to.
fn told(records: &[Record], by: impl Fn(&Record) -> String) -> BTreeMap<String, Counts> {
    let mut told: BTreeMap<String, Counts> = BTreeMap::new();
    for record in records {
        let Some(what) = what(record) else { continue };
        *told.entry(by(record)).or_default().entry(what).or_default() += 1;
    }
    told
}

/// What a report says, by group.
fn said(report: &Value) -> BTreeMap<String, Counts> {
    let groups = report["data"].as_array().unwrap().iter();
    groups
        .map(|group| {
            let name = group["group"].as_str().unwrap().to_owned();
            (name, counts(&group["activity"]))
        })
        .collect()
}

fn counts(activity: &Value) -> Counts {
    let mut counts = Counts::new();
    for name in ["mints", "sessions_started"] {
        counts.insert(name.to_owned(), activity[name].as_u64().unwrap());
    }
    for name in ["refusals", "failures", "disconnects"] {
        for (reason, count) in activity[name].as_object().unwrap() {
            counts.insert(format!("{name} {reason}"), count.as_u64().unwrap());
        }
    }
    counts.retain(|_, count| *count > 0);
    counts
}

/// Billionths of a dollar.
fn nano(dollars: &str) -> u64 {
    dollars.replace('.', "").parse().unwrap()
}

/// The sum of a member of all groups, in billionths of a dollar.
fn cost(report: &Value, member: impl Fn(&Value) -> &Value) -> u64 {
    let groups = report["data"].as_array().unwrap().iter();
    groups
        .map(|group| nano(member(group).as_str().unwrap()))
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_says_what_the_trail_says() {
    let house = House::open();
    let user = house.site.token("=cmd()", 600);
    for _ in 0..3 {
        assert_eq!(house.mint(&user, "interview").await.status, 201);
    }
    assert_eq!(house.mint(&user, "hidden").await.status, 403);
    assert_eq!(house.mint("no credential", "interview").await.status, 401);
    let bad = json!({ "route": "client_secrets", "kind": "status", "status": 400, "times": 1 });
    sim::fault(&house.serve.client, &house.sim.url, bad).await;
    assert_eq!(house.mint(&house.talker, "interview").await.status, 502);
    house.talk("relayed").await;
    house.talk("short").await;
    house.ended(2).await;

    let count = house.records();
    let report = house.report("?by=subject", count).await;
    let records = house.site.trail().all();
    let expected = told(&records, whose);
    assert_eq!(said(&report), expected);
    assert_eq!(expected["talker"]["disconnects time_limit"], 1);
    assert_eq!(expected[""]["refusals malformed_credential"], 1);
    let hours = house.report("?by=hour", count).await;
    let hour = |record: &Record| {
        let time = record.0["time_dt"].as_str().unwrap();
        format!("{}:00Z", &time[..13])
    };
    assert_eq!(said(&hours), told(&records, hour));

    // What sessions cost is the same in their records, as counted from these,
    // and as measured.
    let ends = records.iter().filter(|it| it.action() == "session.end");
    let cost_told: u64 = ends.map(|it| nano(it.fact("cost_usd"))).sum();
    assert!(cost_told > 0);
    assert_eq!(cost(&hours, |it| &it["cost_usd"]), cost_told);
    let ended = cost(&hours, |it| &it["activity"]["sessions_ended_cost_usd"]);
    assert_eq!(ended, cost_told);

    grouped(&house, &report, count).await;
    table_and_command(&house).await;
}

/// However it is grouped, it is the same together.
async fn grouped(house: &House, report: &Value, records: u64) {
    let total = |report: &Value, name: &str| -> u64 {
        let groups = report["data"].as_array().unwrap().iter();
        groups
            .map(|it| it["activity"][name].as_u64().unwrap())
            .sum()
    };
    for by in [
        "profile",
        "mode",
        "model",
        "day",
        "subject,hour",
        "profile,mode,model",
    ] {
        let other = house.report(&format!("?by={by}"), records).await;
        for name in ["mints", "mints_failed", "sessions_started"] {
            assert_eq!(total(&other, name), total(report, name), "{by} {name}");
        }
    }
    let relayed = house.report("?by=mode,model&mode=relay", records).await;
    let group = &relayed["data"][0];
    assert_eq!(
        group["groups"],
        json!({"mode": "relay", "model": "gpt-realtime-2.1"})
    );
    assert_eq!(group["activity"]["sessions_expired"], 1);
    assert_eq!(group["sessions"], 2);
    let ends = house.site.trail().all();
    let ends = ends.iter().filter(|it| it.action() == "session.end");
    let responses: u64 = ends
        .map(|it| it.fact("responses").parse::<u64>().unwrap())
        .sum();
    assert_eq!(group["responses"], responses);
    // A refusal has the profile that was asked for.
    let refused = house.report("?by=profile&profile=hidden", records).await;
    assert_eq!(refused["data"][0]["activity"]["mints_refused"], 1);
}

async fn table_and_command(house: &House) {
    let by_accept = house.read("?by=subject", "text/csv").await;
    let by_format = house.read("?by=subject&format=csv", "*/*").await;
    assert_eq!(by_accept.text, by_format.text);
    assert!(by_accept.header("content-type").starts_with("text/csv"));
    let disposition = by_accept.header("content-disposition");
    assert!(disposition.contains("attachment"), "{disposition}");
    assert!(
        by_accept.text.contains("\n'=cmd(),measured,3,"),
        "{}",
        by_accept.text
    );
    assert_eq!(by_accept.header("x-has-more"), "false");
    let first = house.read("?by=subject&limit=1&format=csv", "*/*").await;
    assert_eq!(first.header("x-has-more"), "true");

    assert_eq!(
        house.usage(&["--csv"]).done(),
        by_accept.text.trim_end().to_owned() + "\n"
    );
    let lines = house.usage(&["--json", "--by", "mode"]).json_lines();
    assert!(
        lines.iter().any(|it| it["groups"]["mode"] == "relay"),
        "{lines:?}"
    );
    let table = house.usage(&["--by", "profile"]).done();
    assert!(
        table.contains("relayed") && table.contains("mints"),
        "{table}"
    );
    let part = house.usage(&["--limit", "1"]);
    assert!(part.err.contains("--limit"), "{}", part.err);
    let wrong = house.usage(&["--by", "colour"]);
    assert_eq!(wrong.code, 1, "{}", wrong.err);
    assert!(wrong.err.contains("\"by\""), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_counts_once_however_often_the_server_dies() {
    let mut house = House::open();
    for round in 1..=4_u64 {
        for _ in 0..3 {
            let minted = house.mint(&house.talker, "interview").await;
            assert_eq!(minted.status, 201, "{}", minted.text);
        }
        if round == 2 {
            // Counted and kept before it dies; at other times perhaps not.
            house.report("", house.records()).await;
        }
        house.serve.process.kill_9();
        house.serve = Serve::start(&house.site);
    }
    let report = house.report("?by=subject", house.records()).await;
    assert_eq!(said(&report)["talker"]["mints"], 12);
    assert_eq!(said(&report), told(&house.site.trail().all(), whose));
}
