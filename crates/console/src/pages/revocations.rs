//! Revocations: what is withdrawn, what that reached and what it could not.

mod effects;

use axum::{
    extract::{Path, Request},
    response::Response,
};
use hallpass_core::{
    Timestamp,
    audit::Action,
    code::Code,
    permission::Permission,
    refusal::Refusal,
    request::clean,
    revocation::{Revocation, Scope, ScopeKind},
};
use http::StatusCode;
use maud::{Markup, html};

use self::effects::Effects;
use super::sessions::MAX_REASON;
use crate::{
    answer::{go, known, page},
    form::{Fields, part},
    layout::{self, Frame, csrf},
    live::{Cell, Live, Row, State, Table},
    operator::Operator,
    parts::{Ask, Column, Sheet, choices, note, words},
    visit::Visit,
    when,
};

/// Most rows shown.
const MOST: usize = 200;

/// What can be revoked, and what is named then.
const KINDS: [(&str, &str); 8] = [
    ("subject", "a user, by subject"),
    ("session", "an interview, by its session id"),
    ("grant", "one grant: gr_…"),
    ("lineage", "a grant and its refreshes: ln_…"),
    ("key", "what an API key obtained, by its id"),
    ("profile", "a profile, by name"),
    (
        "before",
        "everything issued before a time: 2026-11-22T21:00:00Z",
    ),
    ("all", "everything; name nothing"),
];

/// The table's columns.
const COLUMNS: [Column; 8] = [
    words("Of"),
    words("Kind"),
    words("State"),
    words("Reached"),
    words("Could not reach"),
    words("Reason"),
    words("Since (UTC)"),
    words("By"),
];

/// The page.
pub(crate) async fn show(visit: Visit) -> Response {
    let entered = visit.enter(Action::AdminRequest, Some(Permission::SessionsRead));
    let entered = match entered.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let query = visit.query();
    let all = query.get("show") == Some("all");
    let listed = visit.app.broker().revocations().list(all, MOST).await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            let text = "The server can't reach its records now. Try again later.";
            let refusal = Refusal::new(Code::StoreUnavailable, text).internal(error.to_string());
            let refusal = entered.slip.refuse(refusal).await;
            return visit.refused(&refusal, Some(&entered.operator));
        }
    };
    let effects = effects::of(visit.console.trail(), &listed).await;
    let facts = vec![("count", listed.len().to_string())];
    let operator = match entered.done(&visit, facts).await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let (now, mut live) = (visit.now(), Live::default());
    let rows = listed.iter().map(|one| row(one, &effects, &operator, now));
    live.tables.push(Table {
        name: "revocations",
        rows: rows.collect(),
    });
    let frame = Frame {
        title: "Revocations",
        place: "/console/revocations",
        events: None,
    };
    let main = show_all(&query, all, &live, &operator);
    let markup = layout::page(&frame, &operator, &main);
    known(page(StatusCode::OK, markup), operator.name())
}

/// Adds one.
pub(crate) async fn add(visit: Visit, request: Request) -> Response {
    let fields = Fields::of_body(request.into_body()).await;
    let acting = visit.act(&fields, Action::RevocationAdd, Permission::SessionsManage);
    let entered = match acting.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let asked = fields.and_then(|fields| read(&fields));
    let (scope, reason) = match asked {
        Ok(asked) => asked,
        Err(refusal) => {
            let refusal = entered.slip.refuse(refusal).await;
            return visit.refused(&refusal, Some(&entered.operator));
        }
    };
    match entered.slip.revoke(scope, reason).await {
        Ok(_) => known(go("/console/revocations?added=1"), entered.operator.name()),
        Err(refusal) => visit.refused(&refusal, Some(&entered.operator)),
    }
}

/// Lifts one.
pub(crate) async fn lift(visit: Visit, Path(id): Path<String>, request: Request) -> Response {
    let fields = Fields::of_body(request.into_body()).await;
    let acting = visit.act(&fields, Action::RevocationLift, Permission::SessionsManage);
    let entered = match acting.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    match entered.slip.lift(&id).await {
        Ok(_) => known(go("/console/revocations?lifted=1"), entered.operator.name()),
        Err(refusal) => visit.refused(&refusal, Some(&entered.operator)),
    }
}

fn read(fields: &Fields) -> Result<(Scope, Option<String>), Refusal> {
    let wrong = |text: String| Refusal::new(Code::InvalidMember, text);
    let kind = fields.get("kind").unwrap_or("");
    let kind: ScopeKind = kind
        .parse()
        .map_err(|_| wrong("Choose what is to be revoked.".to_owned()).member("kind"))?;
    let scope = Scope::asked(kind, fields.text("target")).map_err(|error| {
        let text = format!(
            "What is named for a revocation of kind \"{kind}\" {error}. Nothing was revoked."
        );
        wrong(text).member("target")
    })?;
    let reason = fields.text("reason");
    Ok((scope, reason.map(|text| clean(&text, MAX_REASON))))
}

fn row(one: &Revocation, effects: &Effects, operator: &Operator, now: Timestamp) -> Row {
    let target = one.scope.target();
    let (reached, beyond) = effects.of(one.id.as_str(), now);
    let force = match &one.lifted {
        Some(lifted) => Cell::of(format!("lifted {}", when::at(lifted.at, now)))
            .whole(format!("by {}", crate::text::shown(lifted.by.as_str()))),
        None => Cell::of("in force").is(State::Bad),
    };
    let may = operator.may(Permission::SessionsManage) && one.lifted.is_none();
    Row {
        key: one.id.to_string(),
        cells: vec![
            Cell::foreign(target.as_deref().unwrap_or("everything")),
            Cell::of(<&str>::from(one.scope.kind())).whole(one.id.to_string()),
            force,
            reached,
            beyond,
            Cell::foreign_or_dash(one.reason.as_deref()),
            Cell::of(when::at(one.created_at, now)).whole(when::in_full(one.created_at)),
            Cell::foreign(one.created_by.as_str()),
        ],
        action: may.then(|| format!("/console/revocations/{}/lift", part(one.id.as_str()))),
    }
}

fn show_all(query: &Fields, all: bool, live: &Live, operator: &Operator) -> Markup {
    let shown = [
        ("force", "/console/revocations".to_owned(), "In force"),
        ("all", "/console/revocations?show=all".to_owned(), "All"),
    ];
    html! {
        @if query.get("added").is_some() { (note("good", "It is in force: nothing more is issued to what it reaches. The first row says what it did.")) }
        @if query.get("lifted").is_some() { (note("good", "It was lifted. Grants it revoked stay revoked.")) }
        @if operator.may(Permission::SessionsManage) { (form(query, operator)) }
        (choices("Which revocations", if all { "all" } else { "force" }, &shown))
        section.card { (sheet(operator).show(live)) }
        p.soft { "A revocation is in force for every request that begins after it. It ends relayed sessions and brokered calls at once. A client secret of mode direct that left before opens sessions at OpenAI until its time is over, and nothing ends a session of mode direct that runs." }
    }
}

fn form(query: &Fields, operator: &Operator) -> Markup {
    let chosen = query.get("kind").unwrap_or("subject");
    html! {
        form.search.card method="post" action="/console/revocations" aria-label="Revoke" {
            (csrf(operator))
            div {
                label for="kind" { "Revoke" }
                select #kind name="kind" { @for (kind, about) in KINDS { option value=(kind) selected[kind == chosen] { (about) } } }
            }
            div {
                label for="target" { "Which" }
                input #target name="target" maxlength="256" autocomplete="off" spellcheck="false" value=(query.get("target").unwrap_or(""));
            }
            div {
                label for="reason" { "Reason, for the audit trail" }
                input #reason name="reason" maxlength="256" autocomplete="off";
            }
            div.buttons { button.danger.filled type="submit" { "Revoke" } }
        }
    }
}

fn sheet(operator: &Operator) -> Sheet<'_> {
    let ask = Ask {
        name: "lift",
        button: "Lift",
        question: "Lift the revocation of",
        about: "What it reaches may ask for client secrets again. Grants it revoked stay revoked.",
        confirm: "Lift revocation",
        reason: false,
        is_grave: false,
    };
    Sheet {
        name: "revocations",
        caption: "Revocations, the newest first",
        columns: &COLUMNS,
        empty: "Nothing is revoked.",
        ask: operator
            .may(Permission::SessionsManage)
            .then_some((ask, operator)),
    }
}
