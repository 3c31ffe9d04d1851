//! One record of the trail, and whether it stands as it was written.

use axum::{extract::Path, response::Response};
use hallpass_core::{audit::Action, code::Code, permission::Permission, refusal::Refusal};
use http::StatusCode;
use maud::{Markup, html};

use super::audit::{judge, unreadable};
use crate::{
    answer::{known, page},
    form::address,
    layout::{self, Frame},
    live::State,
    parts::card,
    text::shown,
    trail::{Beside, Place, Sealing, TrailRecord},
    visit::Visit,
    when,
};

/// The page.
pub(crate) async fn show(visit: Visit, Path(sequence): Path<String>) -> Response {
    let entered = visit.enter(Action::AuditRead, Some(Permission::AuditRead));
    let entered = match entered.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let none = || {
        Refusal::new(
            Code::NotFound,
            "There is no such record here. It may have been archived.",
        )
    };
    let place = match sequence.parse::<u64>() {
        Ok(number) => visit.console.trail().place(number).await,
        Err(_) => Ok(None),
    };
    let place = match place.map_err(|error| unreadable(&error)) {
        Ok(place) => place.ok_or_else(none),
        Err(refusal) => Err(refusal),
    };
    let place = match place {
        Ok(place) => place,
        Err(refusal) => {
            let refusal = entered.slip.refuse(refusal).await;
            return visit.refused(&refusal, Some(&entered.operator));
        }
    };
    let verdict = if is_good(&place) { "good" } else { "bad" };
    let facts = vec![
        ("record", sequence.clone()),
        ("verdict", verdict.to_owned()),
    ];
    let operator = match entered.done(&visit, facts).await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let title = format!("Record {sequence}");
    let frame = Frame {
        title: &title,
        place: "/console/audit",
        events: None,
    };
    let main = html! {
        (card("Does it stand as it was written?", None, &verdict_of(&place)))
        @if let Some(record) = &place.record { (card("What it says", None, &said(record))) }
        (card("What is stored, laid out", None, &html! { pre.line tabindex="0" { code { (shown_line(&place.line)) } } }))
    };
    let markup = layout::page(&frame, &operator, &main);
    known(page(StatusCode::OK, markup), operator.name())
}

fn is_good(place: &Place) -> bool {
    place.flaw.is_none()
        && place.before != Beside::Broken
        && place.after != Beside::Broken
        && !matches!(place.sealed, Sealing::Broken(_))
}

fn verdict_of(place: &Place) -> Markup {
    let whole = match (is_good(place), place.is_erased) {
        (true, false) => (State::Good, "It was not changed since it was written."),
        (true, true) => (
            State::Warn,
            "What it said was erased; its place and hash stand.",
        ),
        (false, _) => (
            State::Bad,
            "It is not what was written. Keep a copy of the trail's folder and follow the runbook for incidents.",
        ),
    };
    let checks = [
        by_itself(place),
        beside(place.before, "the record before it"),
        beside(place.after, "the record after it"),
        sealed(&place.sealed),
    ];
    html! {
        p.verdict data-state=(whole.0.word()) { (whole.1) }
        ul.checks { @for (state, text) in checks { li data-state=(state.word()) { (text) } } }
        p.soft { "The key and checkpoints beside the trail were used. " code { "hallpass audit verify" } " checks the whole trail, and with a checkpoint kept elsewhere also that nothing was cut off its end." }
    }
}

fn by_itself(place: &Place) -> (State, String) {
    match &place.flaw {
        Some(flaw) => (State::Bad, format!("By itself: {}.", shown(flaw))),
        None if place.is_erased => (State::Warn, "By itself: it was erased.".to_owned()),
        None => (
            State::Good,
            "By itself: its bytes have the hash it states.".to_owned(),
        ),
    }
}

fn beside(beside: Beside, other: &str) -> (State, String) {
    match beside {
        Beside::Fits => (State::Good, format!("Chain: it and {other} fit.")),
        Beside::Broken => (
            State::Bad,
            format!("Chain: it and {other} do not fit: one was changed."),
        ),
        Beside::Absent => (State::None, format!("Chain: {other} is not here.")),
    }
}

fn sealed(sealed: &Sealing) -> (State, String) {
    match sealed {
        Sealing::Signed(size) => (
            State::Good,
            format!("Signed: it is among the {size} records a checkpoint states."),
        ),
        Sealing::NotYet => (
            State::None,
            "Signed: no checkpoint states it yet; the next one will, within seconds.".to_owned(),
        ),
        Sealing::Unasked => (
            State::None,
            "Signed: not looked at here; `hallpass audit verify` does.".to_owned(),
        ),
        Sealing::Broken(why) => (State::Bad, format!("Signed: {}.", shown(why))),
    }
}

fn said(record: &TrailRecord) -> Markup {
    let link = |name, value: &Option<String>| {
        let href = value
            .as_deref()
            .map(|value| address("/console/audit", &[(name, value)]));
        (value.clone(), href)
    };
    let plain = |value: Option<String>| (value, None);
    let rows = [
        ("Time", plain(Some(when::in_full(record.time)))),
        ("Action", link("action", &Some(record.action.clone()))),
        ("Phase", plain(Some(record.phase.clone()))),
        ("User", link("subject", &record.subject)),
        ("Credential", plain(record.credential.clone())),
        ("Interview", link("session_id", &record.session_id)),
        ("Grant", link("grant", &record.grant)),
        ("Route", plain(record.route.clone())),
        ("Request", plain(record.request_id.clone())),
        (
            "From",
            link(
                "address",
                &record.address.map(|address| address.to_string()),
            ),
        ),
        ("User agent", plain(record.user_agent.clone())),
        ("Code", plain(record.code.clone())),
        ("Reason", plain(record.reason.clone())),
    ];
    let shown_rows = rows
        .into_iter()
        .filter_map(|(label, (value, href))| Some((label, value?, href)));
    html! {
        dl.facts {
            dt { "Outcome" }
            dd data-state=(judge(&record.outcome).word()) { span.state { (shown(&record.outcome)) } }
            @for (label, value, href) in shown_rows {
                dt { (label) }
                dd { a href=[href] { bdi { (shown(&value)) } } }
            }
            @for (name, value) in &record.facts {
                dt { code { (shown(name)) } }
                dd { bdi { (shown(value)) } }
            }
        }
    }
}

/// The stored line, which has every misleading character escaped already,
/// broken where a reader would.
fn shown_line(line: &str) -> String {
    let pretty = serde_json::from_str::<serde_json::Value>(line);
    let text = pretty.and_then(|json| serde_json::to_string_pretty(&json));
    let text = text.unwrap_or_else(|_| line.to_owned());
    let lines = text.lines().map(shown);
    lines.collect::<Vec<_>>().join("\n")
}
