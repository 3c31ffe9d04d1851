//! Live sessions, and the button that ends one.

use axum::{
    extract::{Path, Request},
    response::Response,
};
use hallpass_core::{
    Timestamp,
    audit::Action,
    live::{LiveFilter, LiveSession},
    permission::Permission,
    request::clean,
    usage::Standing,
};
use http::StatusCode;
use maud::{Markup, html};

use crate::{
    answer::{go, known, page},
    form::{Fields, address, part},
    layout::{self, Frame},
    live::{Cell, Live, Row, State, Table},
    operator::Operator,
    parts::{Ask, Sheet, note, numbers, words},
    text::{count, dollars, grouped},
    visit::Visit,
    when,
};

/// Most rows shown.
const MOST: usize = 500;
/// Longest reason kept, in bytes.
pub(crate) const MAX_REASON: usize = 256;

/// The page.
pub(crate) async fn show(visit: Visit) -> Response {
    let entered = visit.enter(Action::SessionRead, Some(Permission::SessionsRead));
    let entered = match entered.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let live = live(&visit, &entered.operator);
    let rows = live.rows("sessions").len();
    let done = entered.done(&visit, vec![("count", rows.to_string())]);
    let operator = match done.await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let frame = Frame {
        title: "Live sessions",
        place: "/console/sessions",
        events: Some(address("/console/events", &[("view", "sessions")])),
    };
    let main = html! {
        @if visit.query().get("ended").is_some() {
            (note("good", "The session was told to end. Its user is told that an operator ended it."))
        }
        p.soft data-text="sessions_note" { (live.text("sessions_note")) }
        section.card { (sheet(&live, &operator)) }
        p.soft { "Relayed WebSockets and brokered calls of this process. Sessions of mode direct run between browser and OpenAI: nobody here can see or end them, only keep their user from the next secret." }
    };
    let markup = layout::page(&frame, &operator, &main);
    known(page(StatusCode::OK, markup), operator.name())
}

/// Everything on it that changes.
pub(crate) fn live(visit: &Visit, operator: &Operator) -> Live {
    let mut live = Live::default();
    fill(visit, &mut live, operator, MOST);
    live
}

/// Ends one.
pub(crate) async fn end(visit: Visit, Path(id): Path<String>, request: Request) -> Response {
    let fields = Fields::of_body(request.into_body()).await;
    let acting = visit.act(&fields, Action::SessionEnd, Permission::SessionsManage);
    let entered = match acting.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let reason = fields.ok().and_then(|fields| fields.text("reason"));
    let reason = reason.map(|text| clean(&text, MAX_REASON));
    match entered.slip.end_session(&id, reason).await {
        Ok(_) => known(go("/console/sessions?ended=1"), entered.operator.name()),
        Err(refusal) => visit.refused(&refusal, Some(&entered.operator)),
    }
}

/// Sets the table of live sessions.
pub(crate) fn fill(visit: &Visit, live: &mut Live, operator: &Operator, most: usize) {
    let sessions = visit.app.broker().sessions();
    let all = sessions.live.list(&LiveFilter::default());
    let (shown, now) = (all.len().min(most), visit.now());
    let note = match shown == all.len() {
        true => count(all.len() as u64, "session"),
        false => format!(
            "{} of {} sessions, the newest",
            shown,
            grouped(all.len() as u64)
        ),
    };
    live.say("sessions_note", note);
    let may_end = operator.may(Permission::SessionsManage);
    let rows = all
        .iter()
        .take(most)
        .map(|session| row(session, now, may_end));
    live.tables.push(Table {
        name: "sessions",
        rows: rows.collect(),
    });
}

fn row(session: &LiveSession, now: Timestamp, may_end: bool) -> Row {
    let (facts, grant, usage) = (session.facts(), session.grant(), session.usage());
    let id = facts.id.as_str();
    let (due, _) = session.due();
    let bound = facts
        .budget
        .standing(&usage, &Default::default(), &Default::default());
    let state = match bound {
        Standing::Within => State::None,
        Standing::Near(..) => State::Warn,
        Standing::Over(_) => State::Bad,
    };
    let of_subject = address("/console/audit", &[("subject", grant.subject.as_str())]);
    let ends = match session.end_reason() {
        Some(reason) => Cell::of(format!("ending: {reason}")).is(State::Warn),
        None => Cell::of(when::until(due, now)).whole(when::in_full(due)),
    };
    Row {
        key: id.to_owned(),
        cells: vec![
            Cell::foreign(grant.subject.as_str()).to(of_subject),
            Cell::foreign_or_dash(grant.session_id.as_ref().map(|id| id.as_str())),
            Cell::of(grant.mode.to_string()).whole(id),
            Cell::foreign(grant.profile.as_str()),
            Cell::foreign_or_dash(facts.model.as_deref()),
            Cell::of(when::at(facts.started_at, now)).whole(when::in_full(facts.started_at)),
            ends,
            Cell::of(grouped(
                usage.tokens.input().saturating_add(usage.tokens.output()),
            )),
            Cell::of(dollars(usage.cost)).is(state),
        ],
        action: may_end.then(|| format!("/console/sessions/{}/end", part(id))),
    }
}

/// The table of live sessions.
pub(crate) fn sheet(live: &Live, operator: &Operator) -> Markup {
    let ask = Ask {
        name: "end",
        button: "End",
        question: "End the session of",
        about: "Its WebSocket is closed or its call hung up at once, and its user is told. They may begin another: revoke them to prevent that.",
        confirm: "End session",
        reason: true,
        is_grave: true,
    };
    Sheet {
        name: "sessions",
        caption: "Live sessions, the newest first",
        columns: &[
            words("User"),
            words("Interview"),
            words("Mode"),
            words("Profile"),
            words("Model"),
            words("Began (UTC)"),
            numbers("Ends in"),
            numbers("Tokens"),
            numbers("Cost"),
        ],
        empty: "Nobody is in a session.",
        ask: operator
            .may(Permission::SessionsManage)
            .then_some((ask, operator)),
    }
    .show(live)
}
