//! How the upstreams are, and their breakers by hand.

use axum::{
    extract::{Path, Request},
    response::Response,
};
use hallpass_core::{
    Timestamp, audit::Action, code::Code, permission::Permission, refusal::Refusal,
};
use hallpass_http::{BreakerWish, UpstreamStatus};
use maud::{Markup, html};

use crate::{
    answer::{go, known},
    form::{Fields, part},
    layout::csrf,
    live::{Cell, Live, Row, State, Table},
    operator::Operator,
    parts::{Sheet, numbers, words},
    visit::Visit,
    when,
};

/// Sets the table of upstreams.
pub(crate) fn fill(visit: &Visit, live: &mut Live) {
    let now = visit.now();
    let upstreams = visit.app.health().upstreams();
    let rows = upstreams.iter().map(|upstream| row(upstream, now));
    live.tables.push(Table {
        name: "upstreams",
        rows: rows.collect(),
    });
}

fn row(upstream: &UpstreamStatus, now: Timestamp) -> Row {
    let failing = upstream.consecutive_failures > 0;
    let state = match upstream.breaker {
        "closed" if failing => State::Warn,
        "closed" if upstream.last_success.is_some() => State::Good,
        "closed" => State::None,
        _ => State::Bad,
    };
    let breaker = match (upstream.forced, upstream.retry_in) {
        (true, _) => format!("{}, by hand", upstream.breaker),
        (false, Some(wait)) => {
            format!(
                "{}, asked again in {}",
                upstream.breaker,
                when::lasting(wait)
            )
        }
        (false, None) => upstream.breaker.to_owned(),
    };
    let time = |time: Option<Timestamp>| match time {
        Some(time) => Cell::of(when::at(time, now)).whole(when::in_full(time)),
        None => Cell::of("never"),
    };
    let last_code = upstream.last_failure.map(|(_, code)| code);
    let cause = upstream.cause.or(last_code.filter(|_| failing));
    Row {
        key: upstream.name.to_string(),
        cells: vec![
            Cell::foreign(&upstream.name),
            Cell::of(breaker.replace('_', " ")).is(state),
            Cell::of(when::at(upstream.since, now)).whole(when::in_full(upstream.since)),
            Cell::of(cause.unwrap_or("–")),
            Cell::of(upstream.consecutive_failures.to_string()),
            time(upstream.last_success),
            time(upstream.last_failure.map(|(time, _)| time)),
        ],
        action: None,
    }
}

/// The table of upstreams, and what an operator may do with them.
pub(crate) fn sheet(live: &Live, operator: &Operator) -> Markup {
    let sheet = Sheet {
        name: "upstreams",
        caption: "The upstreams and their breakers",
        columns: &[
            words("Upstream"),
            words("Breaker"),
            words("Since (UTC)"),
            words("Cause"),
            numbers("Failures in a row"),
            words("Last success"),
            words("Last failure"),
        ],
        empty: "There is no upstream.",
        ask: None,
    };
    html! {
        (sheet.show(live))
        @if operator.may(Permission::UpstreamsManage) {
            details.hand {
                summary { "Set a breaker by hand" }
                p.soft { "What is set stays so until it is set to auto or the server restarts." }
                @for row in live.rows("upstreams") {
                    form.row method="post" action=(format!("/console/upstreams/{}/breaker", part(&row.key))) {
                        (csrf(operator))
                        bdi { (row.cells.first().map_or("", |cell| &cell.text)) }
                        span.buttons {
                            button.small type="submit" name="state" value="auto" { "Auto" }
                            button.small type="submit" name="state" value="open" { "Hold open" }
                            button.small type="submit" name="state" value="closed" { "Hold closed" }
                        }
                    }
                }
            }
        }
    }
}

/// Sets a breaker.
pub(crate) async fn force(visit: Visit, Path(name): Path<String>, request: Request) -> Response {
    let fields = Fields::of_body(request.into_body()).await;
    let acting = visit.act(&fields, Action::AdminRequest, Permission::UpstreamsManage);
    let entered = match acting.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let wish = fields.ok().and_then(|fields| wish(fields.get("state")?));
    let upstreams = visit.app.health().upstreams();
    let is_known = upstreams.iter().any(|upstream| *upstream.name == *name);
    let Some((word, wish)) = wish.filter(|_| is_known) else {
        let refusal = Refusal::new(Code::NotFound, "There is no such upstream or state.");
        let refusal = entered.slip.refuse(refusal).await;
        return visit.refused(&refusal, Some(&entered.operator));
    };
    // Recorded first: what can't be recorded is not done.
    let facts = vec![("upstream", name.clone()), ("breaker", word.to_owned())];
    match entered.done(&visit, facts).await {
        Ok(operator) => {
            visit.app.health().force_breaker(&name, wish);
            known(go("/console/"), operator.name())
        }
        Err(response) => response,
    }
}

fn wish(word: &str) -> Option<(&'static str, BreakerWish)> {
    match word {
        "open" => Some(("open", BreakerWish::Open)),
        "closed" => Some(("closed", BreakerWish::Closed)),
        "auto" => Some(("auto", BreakerWish::Auto)),
        _ => None,
    }
}
