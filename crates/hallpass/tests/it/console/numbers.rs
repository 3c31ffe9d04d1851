//! The console's numbers are those of the trail.

use std::collections::BTreeMap;

use futures_util::SinkExt;
use serde_json::{Value, json};

use super::{Place, Signed, between};
use crate::support::{Run, Serve, binary, send, trail::Record};

/// What the trail says of an hour.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    issued: u64,
    refused: u64,
    failed: u64,
    closed: u64,
    causes: BTreeMap<String, u64>,
}

impl Counts {
    fn of(records: &[Record]) -> Self {
        let mut counts = Self::default();
        for record in records.iter().filter(|record| !record.is_intent()) {
            let is_mint = matches!(record.action(), "grant.create" | "grant.refresh");
            match record.outcome() {
                "success" if is_mint => counts.issued += 1,
                "success" if record.fact("reason") == "client_closed" => counts.closed += 1,
                "refused" => counts.refused += 1,
                "failed" if record.0["unmapped"]["hallpass"]["phase"] == "outcome" => {
                    counts.failed += 1;
                }
                _ => {}
            }
            let is_final = record.0["unmapped"]["hallpass"]["phase"] == "outcome";
            if matches!(record.outcome(), "refused" | "failed") && is_final {
                *counts.causes.entry(record.code().to_owned()).or_default() += 1;
            }
        }
        counts
    }

    /// What the usage report says, of all its hours.
    fn reported(report: &Value) -> Self {
        let mut counts = Self::default();
        for group in report["data"].as_array().unwrap() {
            let activity = &group["activity"];
            counts.issued += activity["mints"].as_u64().unwrap();
            let ends = &activity["disconnects"];
            counts.closed += ends["client_closed"].as_u64().unwrap_or(0);
            for (kind, sum) in [
                ("refusals", &mut counts.refused),
                ("failures", &mut counts.failed),
            ] {
                for (code, count) in activity[kind].as_object().unwrap() {
                    let count = count.as_u64().unwrap();
                    *sum += count;
                    *counts.causes.entry(code.clone()).or_default() += count;
                }
            }
        }
        counts
    }

    /// What the page of usage shows by hour: it has no causes.
    async fn by_hour(signed: &Signed<'_>) -> Self {
        let page = signed.get("/console/usage").await.text;
        let table = between(&page, "data-table=\"usage\"", "</tbody>");
        let column = |at: usize| -> u64 {
            let rows = table.split("<tr data-key=\"measured").skip(1);
            let cell = |row: &str| {
                let cell = row.split("<bdi>").nth(at + 1).unwrap();
                cell.split('<').next().unwrap().parse::<u64>().unwrap()
            };
            rows.map(cell).sum()
        };
        let shown = Self {
            issued: sum(&page, "issued", 0),
            failed: sum(&page, "troubles", 0),
            refused: sum(&page, "troubles", 1),
            closed: sum(&page, "ends", 0),
            causes: BTreeMap::new(),
        };
        let told = (column(1), column(3), column(2), column(5));
        let drawn = (shown.issued, shown.failed, shown.refused, shown.closed);
        assert_eq!(told, drawn, "table and charts agree");
        shown
    }

    /// What the overview shows.
    async fn shown(signed: &Signed<'_>) -> Self {
        let page = signed.get("/console/?range=1h").await.text;
        let causes = between(&page, "data-table=\"causes\"", "</tbody>");
        let rows = causes.split("<tr data-key=\"").skip(1);
        Self {
            issued: sum(&page, "issued", 0),
            failed: sum(&page, "troubles", 0),
            refused: sum(&page, "troubles", 1),
            closed: sum(&page, "ends", 0),
            causes: rows.map(cause).collect(),
        }
    }
}

/// The sum of a column of a chart's table.
fn sum(page: &str, chart: &str, column: usize) -> u64 {
    let figure = between(page, &format!("data-chart=\"{chart}\""), "</figure>");
    let rows = between(figure, "<tbody>", "</tbody>").split("<tr>").skip(1);
    let number = |row: &str| -> u64 {
        let cell = row.split("<td class=\"number\">").nth(column + 1).unwrap();
        cell.split('<').next().unwrap().parse().unwrap()
    };
    rows.map(number).sum()
}

/// A row of the causes: its code, and its number in the last hour.
fn cause(row: &str) -> (String, u64) {
    let code = row.split('"').next().unwrap().to_owned();
    let cells: Vec<&str> = row.split("<bdi>").skip(1).collect();
    let number = cells[2].split('<').next().unwrap();
    (code, number.parse().unwrap())
}

async fn make_history(place: &Place) {
    let direct = json!({"profile": "interview"});
    for _ in 0..7 {
        assert_eq!(place.mint(&direct).await.status, 201);
    }
    for _ in 0..3 {
        assert_eq!(place.mint(&json!({"profile": "hidden"})).await.status, 403);
    }
    assert_eq!(place.mint_as("hp_svc_x", &direct).await.status, 401);
    let fault = json!({"route": "client_secrets", "kind": "status", "status": 400, "times": 2});
    let url = format!("{}/_sim/faults", place.sim.url);
    let sent = send(place.serve.client.post(url).json(&fault)).await;
    assert!(sent.status < 300, "{}", sent.text);
    for _ in 0..2 {
        assert!(place.mint(&direct).await.status >= 500);
    }
    let mut socket = place.session("i-1").await;
    socket.close(None).await.unwrap();
    while !place.live().await.is_empty() {
        tokio::task::yield_now().await;
    }
}

/// The console's numbers, once they are as many as the trail's.
async fn settled(place: &Place, signed: &Signed<'_>) -> (Counts, Counts) {
    for _ in 0..100 {
        let shown = Counts::shown(signed).await;
        let said = Counts::of(&place.site.trail().all());
        if shown == said {
            return (shown, said);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let shown = Counts::shown(signed).await;
    (shown, Counts::of(&place.site.trail().all()))
}

#[tokio::test]
async fn the_console_shows_what_the_trail_says_also_after_a_restart() {
    let place = Place::start();
    make_history(&place).await;
    let signed = place.sign_in(&place.operator).await;
    let (shown, said) = settled(&place, &signed).await;
    assert_eq!(shown, said);
    assert_eq!(
        (said.issued, said.failed, said.closed),
        (8, 2, 1),
        "{said:?}"
    );
    assert!(said.causes.len() >= 3, "{said:?}");
    assert_eq!(usage_of(&place).await, said);
    let told = Counts {
        causes: BTreeMap::new(),
        ..said
    };
    assert_eq!(Counts::by_hour(&signed).await, told);

    let site = place.site.clone();
    drop(place.serve);
    let place = Place {
        serve: Serve::start(&site),
        ..place
    };
    let signed = place.sign_in(&place.operator).await;
    let (again, said) = settled(&place, &signed).await;
    assert_eq!(again, said);
    assert_eq!(again.issued, 8);
    assert_eq!(usage_of(&place).await, said);
}

/// The counts of the usage report, once the whole trail is in it; the command
/// line and the table say the same.
async fn usage_of(place: &Place) -> Counts {
    let url = place.serve.admin_url("/api/admin/usage?by=hour");
    let last = place.site.trail().all();
    let counts = |record: &&Record| {
        record.action().starts_with("grant.") || record.action() == "session.end"
    };
    let last = last.iter().rfind(counts).unwrap().sequence();
    let report = loop {
        let request = place.serve.client.get(&url).bearer_auth(&place.operator);
        let report = send(request).await.json();
        if report["counted_records"].as_u64().unwrap() > last {
            break report;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let mut command = binary();
    command
        .args(["usage", "--by", "hour", "--json"])
        .env("HALLPASS_URL", place.serve.admin_url(""))
        .env("HALLPASS_ADMIN_KEY", &place.operator);
    let lines = Run::of(command, "").json_lines();
    let counts = Counts::reported(&report);
    assert_eq!(Counts::reported(&json!({ "data": lines })), counts);
    counts
}

#[tokio::test]
async fn a_users_cost_is_that_of_the_usage_api() {
    let place = Place::start();
    let mut socket = place.session("i-1").await;
    let ask = json!({"type": "response.create"}).to_string();
    socket
        .send(tokio_tungstenite::tungstenite::Message::text(ask))
        .await
        .unwrap();
    let usage = place.serve.admin_url("/api/admin/usage?by=subject");
    let group = loop {
        let request = place.serve.client.get(&usage).bearer_auth(&place.operator);
        let answer = send(request).await.json();
        let group = answer["data"][0].clone();
        if group["responses"].as_u64() > Some(0) {
            break group;
        }
        tokio::task::yield_now().await;
    };
    let cost: &str = group["cost_usd"].as_str().unwrap();
    let signed = place.sign_in(&place.operator).await;
    let page = signed.get("/console/users").await.text;
    let row = between(&page, "<tr data-key=\"caller\">", "</tr>");
    // Four places of nine.
    assert!(
        row.contains(&format!("${}", &cost[..cost.len() - 5])),
        "{cost} in {row}"
    );
    let overview = signed.get("/console/").await.text;
    let tile = between(&overview, "data-text=\"cost\">", "<");
    assert_eq!(tile, format!("${}", &cost[..cost.len() - 5]));
}
