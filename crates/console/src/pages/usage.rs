//! Usage: what was minted, refused and used, hour by hour and by whom, of all
//! replicas, as the usage API tells it.

mod asked;

use std::collections::BTreeMap;

use axum::response::Response;
use hallpass_api::usage::UsageReport;
use hallpass_core::{
    Timestamp,
    audit::Action,
    money::NanoUsd,
    permission::Permission,
    ports::StoreError,
    usage::{Grouping, Source, UsageTotal},
};
use http::StatusCode;
use maud::{Markup, html};

use self::asked::Asked;
use super::{
    alerts::away,
    overview::charts::{self, Axis, Drawn},
};
use crate::{
    answer::{file, known, page},
    form::part,
    layout::{self, Frame},
    live::{Cell, Chart, Live, Row, Table},
    parts::{Sheet, chart, choices, note, numbers, words},
    text::{count, dollars, grouped},
    timeline::Minute,
    visit::{Entered, Visit},
    when,
};

const HOUR: i64 = 3600;
/// What is told of money in a chart: whole numbers.
const THOUSANDTH: u64 = 1_000_000;
const COST: &[Drawn] = &[("thousandths of a dollar", "accent", |sum| {
    sum.cost.0 / THOUSANDTH
})];

/// The page.
pub(crate) async fn show(visit: Visit) -> Response {
    let entered = match enter(&visit).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let asked = Asked::of(&visit);
    let (live, more) = match live(&visit, &asked).await {
        Ok(read) => read,
        Err(error) => return refused(&visit, entered, &error).await,
    };
    let rows = live.rows("usage").len();
    let facts = vec![("by", asked.by().to_owned()), ("count", rows.to_string())];
    let operator = match entered.done(&visit, facts).await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let frame = Frame {
        title: "Usage",
        place: "/console/usage",
        events: None,
    };
    let markup = layout::page(&frame, &operator, &show_live(&live, &asked, more));
    known(page(StatusCode::OK, markup), operator.name())
}

/// The same as a table for a spreadsheet.
pub(crate) async fn table(visit: Visit) -> Response {
    let entered = match enter(&visit).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let asked = Asked::of(&visit);
    let query = asked.query(asked.grouping(), visit.now());
    let totals = match visit.app.broker().sessions().usage.totals(&query).await {
        Ok(totals) => totals,
        Err(error) => return refused(&visit, entered, &error).await,
    };
    let report = UsageReport::new(&query, &totals, visit.app.counted_records());
    let facts = vec![
        ("by", asked.by().to_owned()),
        ("count", totals.groups.len().to_string()),
    ];
    match entered.done(&visit, facts).await {
        Ok(operator) => {
            let name = "hallpass-usage.csv";
            let csv = file(name, "text/csv; charset=utf-8", report.to_csv());
            known(csv, operator.name())
        }
        Err(response) => response,
    }
}

async fn enter(visit: &Visit) -> Result<Entered<'_>, Response> {
    visit
        .enter(Action::UsageRead, Some(Permission::UsageRead))
        .await
}

async fn refused(visit: &Visit, entered: Entered<'_>, error: &StoreError) -> Response {
    let refusal = entered.slip.refuse(away(error)).await;
    visit.refused(&refusal, Some(&entered.operator))
}

/// Everything on it, and whether there are more groups.
async fn live(visit: &Visit, asked: &Asked) -> Result<(Live, bool), StoreError> {
    let (ledger, now) = (&visit.app.broker().sessions().usage, visit.now());
    let hours = asked.query(Grouping::Hour, now);
    let mut told = ledger.totals(&hours).await?;
    let charts = drawn(&told.groups, asked, now);
    match asked.grouping() {
        // The newest stand first on a page.
        Grouping::Hour => told.groups.reverse(),
        by => told = ledger.totals(&asked.query(by, now)).await?,
    }
    let table = Table {
        name: "usage",
        rows: told.groups.iter().map(row).collect(),
    };
    let mut live = Live::default();
    live.charts.extend(charts);
    live.tables.push(table);
    Ok((live, told.more))
}

/// The charts, with a point for each hour, also one of which nothing is told.
fn drawn(told: &[UsageTotal], asked: &Asked, now: Timestamp) -> Vec<Chart> {
    let mut hours: BTreeMap<i64, Minute> = BTreeMap::new();
    let newest = now.as_second().div_euclid(HOUR);
    for hour in newest - asked.hours() + 1..=newest {
        hours.insert(hour, Minute::default());
    }
    for total in told {
        let begins: Option<Timestamp> = total.group.first().and_then(|it| asked::begin_of(it));
        let hour = begins.map(|it| it.as_second().div_euclid(HOUR));
        if let Some(sum) = hour.and_then(|hour| hours.get_mut(&hour)) {
            sum.add(&figures(total));
        }
    }
    let groups: Vec<(Timestamp, Minute)> = hours
        .into_iter()
        .filter_map(|(hour, sum)| Some((Timestamp::from_second(hour * HOUR).ok()?, sum)))
        .collect();
    let axis = Axis {
        past: asked.past(),
        step: "an hour",
        label: "%m-%d %H:%M",
    };
    let mut charts = charts::charts(&groups, &axis);
    charts.push(charts::draw(("cost", "Cost"), COST, &groups, &axis));
    charts
}

/// What a group comes to, as the overview counts it; its cost is what was used.
fn figures(total: &UsageTotal) -> Minute {
    let cost = match total.source {
        Source::Measured => total.usage.cost,
        Source::Reported => NanoUsd::ZERO,
    };
    Minute {
        cost,
        ..Minute::of(&total.activity, total.source)
    }
}

fn row(total: &UsageTotal) -> Row {
    let sum = figures(total);
    let (name, source) = (total.group.join(","), total.source);
    let shown = match (name.as_str(), source) {
        ("", Source::Measured) => Cell::of("not known"),
        ("", Source::Reported) => Cell::of("not known (reported)"),
        (name, Source::Measured) => Cell::foreign(name),
        (name, Source::Reported) => Cell::foreign(&format!("{name} (reported)")),
    };
    let ends = [sum.closed, sum.expired, sum.dropped, sum.ended];
    let usage = &total.usage;
    let live = std::time::Duration::from_millis(usage.live_ms);
    Row {
        key: part(&format!("{source} {name}")),
        cells: vec![
            shown,
            Cell::of(grouped(sum.issued)),
            Cell::of(grouped(sum.refused)),
            Cell::of(grouped(sum.failed)),
            Cell::of(grouped(total.sessions)),
            Cell::of(grouped(ends.iter().sum())),
            Cell::of(grouped(sum.expired)),
            Cell::of(when::lasting(live)),
            Cell::of(grouped(usage.tokens.input())),
            Cell::of(grouped(usage.tokens.output())),
            Cell::of(dollars(usage.cost)),
        ],
        action: None,
    }
}

fn show_live(live: &Live, asked: &Asked, more: bool) -> Markup {
    let rows = live.rows("usage");
    html! {
        p.soft { "What was minted, refused and used, of all replicas, counted from the audit trail and measured from OpenAI's events. What pages report of sessions of mode direct has rows of its own. Reload for newer numbers." }
        (choices("Time range", asked.span(), &asked.spans()))
        div.grid {
            @for shown in &live.charts { (chart(shown)) }
        }
        (choices("Grouping", asked.by(), &asked.groupings()))
        section.card {
            div.cardhead {
                h2 { (count(rows.len() as u64, "row")) }
                a href=(asked.table()) download="" { "As CSV" }
            }
            @if more { (note("warn", "There are more rows than are shown; the CSV has up to 10,000.")) }
            (sheet(live))
        }
    }
}

fn sheet(live: &Live) -> Markup {
    Sheet {
        name: "usage",
        caption: "Usage by group",
        columns: &[
            words("Group"),
            numbers("Secrets"),
            numbers("Refused"),
            numbers("Failed"),
            numbers("Sessions"),
            numbers("Ended"),
            numbers("Expired"),
            numbers("Live"),
            numbers("Tokens in"),
            numbers("Tokens out"),
            numbers("Cost"),
        ],
        empty: "Nothing was asked for, and nothing was used.",
        ask: None,
    }
    .show(live)
}
