//! Alerts: what lasts, what ended, and saying that somebody looks after one.

use axum::{
    extract::{Path, Request},
    response::Response,
};
use hallpass_core::{
    Timestamp,
    alert::{Acknowledgement, Alert, AlertFilter, AlertId, Severity},
    audit::Action,
    code::Code,
    permission::Permission,
    ports::StoreError,
    refusal::Refusal,
    request::clean,
};
use http::StatusCode;
use maud::{Markup, html};

use super::sessions::MAX_REASON;
use crate::{
    answer::{go, known, page},
    form::{Fields, address, part},
    layout::{self, Frame},
    live::{Cell, Live, Row, State, Table},
    operator::Operator,
    parts::{Ask, Sheet, note, words},
    text::grouped,
    visit::Visit,
    when,
};

/// Ended alerts shown.
const MOST: usize = 100;

/// The page.
pub(crate) async fn show(visit: Visit) -> Response {
    let entered = visit.enter(Action::AlertRead, Some(Permission::AlertsRead));
    let entered = match entered.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let live = match live(&visit, &entered.operator).await {
        Ok(live) => live,
        Err(error) => {
            let refusal = entered.slip.refuse(away(&error)).await;
            return visit.refused(&refusal, Some(&entered.operator));
        }
    };
    let rows = live.rows("alerts").len();
    let done = entered.done(&visit, vec![("count", rows.to_string())]);
    let operator = match done.await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let frame = Frame {
        title: "Alerts",
        place: "/console/alerts",
        events: Some(address("/console/events", &[("view", "alerts")])),
    };
    let main = html! {
        @if visit.query().get("seen").is_some() { (note("good", "Noted: you look after it. It lasts until its cause is gone.")) }
        section.card { h2 { "Lasting" } (sheet(&live, &operator)) }
        section.card { h2 { "Ended" } (ended_sheet(&live)) }
    };
    let markup = layout::page(&frame, &operator, &main);
    known(page(StatusCode::OK, markup), operator.name())
}

/// Notes that somebody looks after one.
pub(crate) async fn acknowledge(
    visit: Visit,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let fields = Fields::of_body(request.into_body()).await;
    let acting = visit.act(&fields, Action::AlertAcknowledge, Permission::AlertsManage);
    let entered = match acting.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let said = fields.ok().and_then(|fields| fields.text("reason"));
    let seen = Acknowledgement {
        by: entered.operator.name().clone(),
        at: visit.now(),
        note: said.map(|text| clean(&text, MAX_REASON)),
    };
    let alert = match acknowledge_known(&visit, &id, &seen).await {
        Ok(alert) => alert,
        Err(refusal) => {
            let refusal = entered.slip.refuse(refusal).await;
            return visit.refused(&refusal, Some(&entered.operator));
        }
    };
    let mut facts = vec![
        ("alert", alert.id.to_string()),
        ("rule", alert.rule.clone()),
        ("fingerprint", alert.fingerprint.to_string()),
    ];
    facts.extend(seen.note.map(|note| ("note", note)));
    match entered.done(&visit, facts).await {
        Ok(operator) => known(go("/console/alerts?seen=1"), operator.name()),
        Err(response) => response,
    }
}

async fn acknowledge_known(
    visit: &Visit,
    id: &str,
    seen: &Acknowledgement,
) -> Result<Alert, Refusal> {
    let none = || Refusal::new(Code::NotFound, "There is no such alert.");
    let id = AlertId::new(id).map_err(|_| none())?;
    let found = visit.app.alerts().acknowledge(&id, seen).await;
    found.map_err(|error| away(&error))?.ok_or_else(none)
}

pub(super) fn away(error: &StoreError) -> Refusal {
    let text = "The server can't reach its records now. Try again later.";
    Refusal::new(Code::StoreUnavailable, text).internal(error.to_string())
}

/// Everything on it that changes.
pub(crate) async fn live(visit: &Visit, operator: &Operator) -> Result<Live, StoreError> {
    let mut live = Live::default();
    fill(visit, &mut live, operator).await?;
    let filter = AlertFilter {
        active: Some(false),
        limit: MOST,
        ..AlertFilter::default()
    };
    let ended = visit.app.alerts().list(&filter).await?;
    let now = visit.now();
    live.tables.push(Table {
        name: "alerts_ended",
        rows: ended.iter().map(|alert| row(alert, None, now)).collect(),
    });
    Ok(live)
}

/// Sets the table of alerts that last, the most urgent first.
pub(crate) async fn fill(
    visit: &Visit,
    live: &mut Live,
    operator: &Operator,
) -> Result<(), StoreError> {
    let mut lasting = visit.app.alerts().active().await?;
    lasting.sort_by_key(|alert| (std::cmp::Reverse(urgency(alert)), alert.started_at));
    let now = visit.now();
    let worst = lasting
        .first()
        .map_or(State::Good, |alert| judge(alert.severity));
    let unseen = lasting.iter().filter(|alert| alert.acknowledged.is_none());
    let unseen = unseen.count() as u64;
    live.say("alerts", grouped(lasting.len() as u64));
    live.say(
        "alerts_note",
        format!("{} nobody looks after", grouped(unseen)),
    );
    live.judge("alerts", worst);
    let rows = lasting.iter().map(|alert| row(alert, Some(operator), now));
    live.tables.push(Table {
        name: "alerts",
        rows: rows.collect(),
    });
    Ok(())
}

const fn urgency(alert: &Alert) -> u8 {
    match alert.severity {
        Severity::Critical => 3,
        Severity::Warning => 2,
        Severity::Info => 1,
    }
}

const fn judge(severity: Severity) -> State {
    match severity {
        Severity::Critical => State::Bad,
        Severity::Warning => State::Warn,
        Severity::Info => State::None,
    }
}

fn row(alert: &Alert, operator: Option<&Operator>, now: Timestamp) -> Row {
    let time = |time: Timestamp| Cell::of(when::at(time, now)).whole(when::in_full(time));
    let severity: &str = alert.severity.into();
    let seen = alert.acknowledged.as_ref().map_or_else(
        || Cell::of("–"),
        |seen| {
            let by = Cell::foreign(seen.by.as_str());
            match &seen.note {
                Some(note) => by.whole(crate::text::shown(note)),
                None => by,
            }
        },
    );
    let open = alert.ended_at.is_none() && alert.acknowledged.is_none();
    let may = operator.is_some_and(|operator| operator.may(Permission::AlertsManage));
    let last = alert.ended_at.unwrap_or(alert.last_seen_at);
    Row {
        key: alert.id.to_string(),
        cells: vec![
            Cell {
                text: crate::text::shown(&alert.summary),
                ..Cell::default()
            },
            Cell::of(severity).is(judge(alert.severity)),
            Cell::foreign(&alert.rule),
            time(alert.started_at),
            time(last),
            seen,
            Cell::of(alert.remedy()),
        ],
        action: (may && open)
            .then(|| format!("/console/alerts/{}/acknowledge", part(alert.id.as_str()))),
    }
}

/// The table of alerts that last.
pub(crate) fn sheet(live: &Live, operator: &Operator) -> Markup {
    let ask = Ask {
        name: "seen",
        button: "I’m on it",
        question: "Look after this alert:",
        about: "Others see that you do. It lasts until its cause is gone.",
        confirm: "I’m on it",
        reason: true,
        is_grave: false,
    };
    Sheet {
        name: "alerts",
        caption: "Alerts that last, the most urgent first",
        columns: &[
            words("What"),
            words("Severity"),
            words("Rule"),
            words("Since (UTC)"),
            words("Last seen"),
            words("Looked after by"),
            words("What to do"),
        ],
        empty: "No alert lasts.",
        ask: operator
            .may(Permission::AlertsManage)
            .then_some((ask, operator)),
    }
    .show(live)
}

fn ended_sheet(live: &Live) -> Markup {
    Sheet {
        name: "alerts_ended",
        caption: "Alerts that ended, the newest first",
        columns: &[
            words("What"),
            words("Severity"),
            words("Rule"),
            words("Since (UTC)"),
            words("Ended"),
            words("Looked after by"),
            words("What to do"),
        ],
        empty: "None ended lately.",
        ask: None,
    }
    .show(live)
}
