//! The overview: what an operator looks at first.

pub(crate) mod charts;
mod numbers;

use axum::response::Response;
use hallpass_core::{audit::Action, permission::Permission};
use http::StatusCode;
use maud::{Markup, html};

use super::{alerts, sessions, upstreams, users};
use crate::{
    answer::{known, page},
    form::address,
    layout::{self, Frame},
    live::Live,
    operator::Operator,
    parts::{Sheet, card, chart, choices, note, numbers as number_column, tile, words},
    visit::Visit,
};

/// How much of the past the charts show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// An hour by the minute.
    Hour,
    /// Six hours in fives of minutes.
    Quarter,
    /// A day in quarters of an hour.
    Day,
}

impl Range {
    const ALL: [Self; 3] = [Self::Hour, Self::Quarter, Self::Day];

    /// The range of an address.
    pub(crate) fn of(word: Option<&str>) -> Self {
        let known = Self::ALL.into_iter();
        let mut named = known.filter(|range| Some(range.word()) == word);
        named.next().unwrap_or(Self::Hour)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Quarter => "6h",
            Self::Day => "24h",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Quarter => "6 hours",
            Self::Day => "24 hours",
        }
    }

    /// How many minutes, and how many of them are one point.
    const fn minutes(self) -> (usize, usize) {
        match self {
            Self::Hour => (60, 1),
            Self::Quarter => (360, 5),
            Self::Day => (1440, 15),
        }
    }

    /// How it is called where it ends now.
    const fn past(self) -> &'static str {
        match self {
            Self::Hour => "Last hour",
            Self::Quarter => "Last 6 hours",
            Self::Day => "Last 24 hours",
        }
    }

    /// What one point is.
    const fn step(self) -> &'static str {
        match self {
            Self::Hour => "a minute",
            Self::Quarter => "5 minutes",
            Self::Day => "15 minutes",
        }
    }
}

/// Rows of a table on the overview; its own page has more.
const FEW: usize = 8;

/// The page.
pub(crate) async fn show(visit: Visit) -> Response {
    let entered = match visit.enter(Action::ConsoleRead, None).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let range = Range::of(visit.query().get("range"));
    let live = live(&visit, &entered.operator, range).await;
    let facts = vec![("page", "overview".to_owned())];
    let operator = match entered.done(&visit, facts).await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let frame = Frame {
        title: "Overview",
        place: "/console/",
        events: Some(address(
            "/console/events",
            &[("view", "overview"), ("range", range.word())],
        )),
    };
    let main = show_live(&visit, &live, &operator, range);
    let markup = layout::page(&frame, &operator, &main);
    known(page(StatusCode::OK, markup), operator.name())
}

/// Everything on it that changes.
pub(crate) async fn live(visit: &Visit, operator: &Operator, range: Range) -> Live {
    let mut live = Live::default();
    numbers::fill(visit, &mut live);
    charts::fill(visit, &mut live, range);
    upstreams::fill(visit, &mut live);
    if operator.may(Permission::AlertsRead)
        && alerts::fill(visit, &mut live, operator).await.is_err()
    {
        live.say("alerts", "not known");
    }
    if operator.may(Permission::UsageRead) {
        users::fill(visit, &mut live, FEW);
        users::fill_budgets(visit, &mut live);
    }
    if operator.may(Permission::SessionsRead) {
        sessions::fill(visit, &mut live, operator, FEW);
    }
    live
}

fn show_live(visit: &Visit, live: &Live, operator: &Operator, range: Range) -> Markup {
    let may = |permission| operator.may(permission);
    let ranges = Range::ALL.map(|range| {
        let href = address("/console/", &[("range", range.word())]);
        (range.word(), href, range.name())
    });
    html! {
        @if !visit.console.timeline().is_filled() {
            (note("warn", "The trail of the last day is still being read: the numbers below are too low until that is done."))
        }
        dl.tiles {
            (tile(live, "Secrets, this minute", "issued_minute", Some("issued_hour")))
            @if may(Permission::AlertsRead) { (tile(live, "Alerts", "alerts", Some("alerts_note"))) }
            (tile(live, "Live sessions", "live", Some("live_note")))
            (tile(live, "Failed mints, last hour", "failed_percent", Some("failed_note")))
            (tile(live, "Expired, last hour", "expired", Some("expired_note")))
            (tile(live, "Dropped, last hour", "dropped", Some("dropped_note")))
            @if may(Permission::UsageRead) { (tile(live, "Cost today", "cost", Some("cost_note"))) }
        }
        @if may(Permission::AlertsRead) {
            div.alerts { (card("Alerts", Some(("/console/alerts", "All alerts")), &alerts::sheet(live, operator))) }
        }
        (choices("Time range", range.word(), &ranges))
        div.grid {
            @for name in ["issued", "troubles", "ends"] {
                @if let Some(shown) = live.chart(name) { (chart(shown)) }
            }
            (card("Refused and failed, by cause", None, &causes(live)))
            @if may(Permission::UsageRead) {
                (card("Client secrets and cost by user", Some(("/console/users", "All users")), &users::sheet(live)))
            }
            div.column {
                @if may(Permission::UsageRead) { (card("Budgets today", None, &users::budget_sheet(live))) }
                (card("Server", None, &server(live)))
            }
        }
        @if may(Permission::SessionsRead) {
            (card("Live sessions", Some(("/console/sessions", "All sessions")), &sessions::sheet(live, operator)))
        }
        (card("Upstreams", None, &upstreams::sheet(live, operator)))
    }
}

fn causes(live: &Live) -> Markup {
    Sheet {
        name: "causes",
        caption: "Refused and failed requests by cause",
        columns: &[
            words("Cause"),
            words("Meaning"),
            number_column("Last hour"),
            number_column("Last 24 hours"),
        ],
        empty: "Nothing was refused and nothing failed.",
        ask: None,
    }
    .show(live)
}

fn server(live: &Live) -> Markup {
    html! {
        dl.facts {
            @for (label, name) in [("Audit trail", "trail"), ("Registry", "registry"), ("Running for", "uptime"), ("Version", "version")] {
                dt { (label) }
                dd data-text=(name) data-judged=(name) data-state=(live.state(name).word()) { (live.text(name)) }
            }
        }
    }
}
