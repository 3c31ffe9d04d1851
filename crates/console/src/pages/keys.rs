//! API keys: who has one, and revoking them.

use axum::{
    extract::{Path, Request},
    response::Response,
};
use hallpass_core::{
    Timestamp,
    audit::Action,
    code::Code,
    ids::{CredentialId, RoleName},
    permission::Permission,
    ports::{StoreError, StoredKey},
    refusal::Refusal,
};
use http::StatusCode;
use maud::html;

use crate::{
    answer::{go, known, page},
    form::{Fields, address, part},
    layout::{self, Frame},
    live::{Cell, Live, Row, State, Table},
    operator::Operator,
    parts::{Ask, Column, Sheet, note, words},
    visit::Visit,
    when,
};

/// The table's columns.
const COLUMNS: [Column; 8] = [
    words("Name"),
    words("Id"),
    words("Kind"),
    words("Roles"),
    words("Networks"),
    words("Made (UTC)"),
    words("Last used"),
    words("Standing"),
];

/// The page.
pub(crate) async fn show(visit: Visit) -> Response {
    let entered = visit.enter(Action::AdminRequest, Some(Permission::KeysRead));
    let entered = match entered.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let keys = match visit.app.keys().directory().list().await {
        Ok(keys) => keys,
        Err(error) => {
            let refusal = entered.slip.refuse(away(&error)).await;
            return visit.refused(&refusal, Some(&entered.operator));
        }
    };
    let facts = vec![("count", keys.len().to_string())];
    let operator = match entered.done(&visit, facts).await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let (now, mut live) = (visit.now(), Live::default());
    let rows = keys.iter().map(|key| row(key, &operator, now));
    live.tables.push(Table {
        name: "keys",
        rows: rows.collect(),
    });
    let frame = Frame {
        title: "API keys",
        place: "/console/keys",
        events: None,
    };
    let main = html! {
        @if visit.query().get("revoked").is_some() { (note("good", "The key was revoked. It is refused from now on.")) }
        section.card { (sheet(&operator).show(&live)) }
        p.soft { "A key is shown once, when it is made: " code { "hallpass keys create" } " makes one, " code { "hallpass keys rotate" } " a successor while the old one goes on working." }
    };
    let markup = layout::page(&frame, &operator, &main);
    known(page(StatusCode::OK, markup), operator.name())
}

/// Revokes one.
pub(crate) async fn revoke(visit: Visit, Path(id): Path<String>, request: Request) -> Response {
    let fields = Fields::of_body(request.into_body()).await;
    let acting = visit.act(&fields, Action::KeyRevoke, Permission::KeysManage);
    let entered = match acting.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let key = match revoke_known(&visit, &id).await {
        Ok(key) => key,
        Err(refusal) => {
            let refusal = entered.slip.refuse(refusal).await;
            return visit.refused(&refusal, Some(&entered.operator));
        }
    };
    let facts = vec![("key", key.id.to_string()), ("name", key.name.to_string())];
    match entered.done(&visit, facts).await {
        Ok(operator) => known(go("/console/keys?revoked=1"), operator.name()),
        Err(response) => response,
    }
}

async fn revoke_known(visit: &Visit, id: &str) -> Result<StoredKey, Refusal> {
    let none = || Refusal::new(Code::NotFound, "There is no key of this id.");
    let id = CredentialId::new(id).map_err(|_| none())?;
    let directory = visit.app.keys().directory();
    let found = directory.find(&id).await.map_err(|error| away(&error))?;
    let key = found.ok_or_else(none)?;
    let revoked = directory.revoke(&key.id, visit.now()).await;
    revoked.map_err(|error| away(&error))?;
    Ok(key)
}

fn away(error: &StoreError) -> Refusal {
    let text = "The server can't reach its records now. Try again later.";
    Refusal::new(Code::StoreUnavailable, text).internal(error.to_string())
}

fn row(key: &StoredKey, operator: &Operator, now: Timestamp) -> Row {
    let roles: Vec<&str> = key.roles.iter().map(RoleName::as_str).collect();
    let networks = match key.networks.is_empty() {
        true => "any".to_owned(),
        false => key.networks.join(" "),
    };
    let time = |time: Timestamp| Cell::of(when::at(time, now)).whole(when::in_full(time));
    let used = key.last_used_at.map_or_else(|| Cell::of("never"), time);
    let own = key.id == *operator.key();
    let id = match own {
        true => Cell::of(format!("{} (yours)", key.id)),
        false => Cell::foreign(key.id.as_str()),
    };
    let may = operator.may(Permission::KeysManage) && key.revoked_at.is_none();
    Row {
        key: key.id.to_string(),
        cells: vec![
            Cell::foreign(key.name.as_str())
                .to(address("/console/audit", &[("subject", key.name.as_str())])),
            id,
            Cell::of(<&str>::from(key.kind)),
            Cell::foreign(&roles.join(" ")),
            Cell::foreign(&networks),
            time(key.created_at),
            used,
            standing(key, now),
        ],
        action: may.then(|| format!("/console/keys/{}/revoke", part(key.id.as_str()))),
    }
}

fn standing(key: &StoredKey, now: Timestamp) -> Cell {
    let said = |word: &str, time: Timestamp| {
        Cell::of(format!("{word} {}", when::at(time, now))).whole(when::in_full(time))
    };
    if let Some(time) = key.revoked_at {
        return said("revoked", time).is(State::Bad);
    }
    match key.expires_at {
        Some(end) if end <= now => said("expired", end).is(State::Bad),
        Some(end) => {
            let soon = end.duration_since(now).as_secs() < 7 * 86_400;
            let text = format!("ends in {}", when::until(end, now));
            let state = if soon { State::Warn } else { State::Good };
            Cell::of(text).whole(when::in_full(end)).is(state)
        }
        None if key.replaced_by.is_some() => Cell::of("replaced").is(State::Warn),
        None => Cell::of("good").is(State::Good),
    }
}

fn sheet(operator: &Operator) -> Sheet<'_> {
    let ask = Ask {
        name: "revoke",
        button: "Revoke",
        question: "Revoke the key of",
        about: "It is refused from the next request on, and console sessions that began with it end. This can't be undone.",
        confirm: "Revoke key",
        reason: false,
        is_grave: true,
    };
    Sheet {
        name: "keys",
        caption: "API keys, the newest first",
        columns: &COLUMNS,
        empty: "There are no API keys.",
        ask: operator
            .may(Permission::KeysManage)
            .then_some((ask, operator)),
    }
}
