//! Users: what each gets, uses and costs.

use std::collections::BTreeMap;

use axum::response::Response;
use hallpass_core::{
    audit::Action,
    ids::Subject,
    live::LiveFilter,
    money::NanoUsd,
    permission::Permission,
    role::Role,
    usage::{Account, Limit, Usage, day_of},
};
use http::StatusCode;
use maud::{Markup, html};

use crate::{
    answer::{known, page},
    form::{address, part},
    layout::{self, Frame},
    live::{Cell, Live, Row, State, Table},
    parts::{Sheet, card, numbers, words},
    text::{dollars, grouped},
    visit::Visit,
    when,
};

/// Most rows shown.
const MOST: usize = 200;

/// The page.
pub(crate) async fn show(visit: Visit) -> Response {
    let entered = visit.enter(Action::UsageRead, Some(Permission::UsageRead));
    let entered = match entered.await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let live = live(&visit);
    let rows = live.rows("users").len();
    let done = entered.done(&visit, vec![("count", rows.to_string())]);
    let operator = match done.await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let frame = Frame {
        title: "Users",
        place: "/console/users",
        events: Some(address("/console/events", &[("view", "users")])),
    };
    let main = html! {
        p.soft { "Who asked for client secrets in the last hour, or is in a session now. Cost and minutes are those measured today; sessions of mode direct are not measured." }
        section.card { (sheet(&live)) }
        (card("Budgets today", None, &budget_sheet(&live)))
    };
    let markup = layout::page(&frame, &operator, &main);
    known(page(StatusCode::OK, markup), operator.name())
}

/// Everything on it that changes.
pub(crate) fn live(visit: &Visit) -> Live {
    let mut live = Live::default();
    fill(visit, &mut live, MOST);
    fill_budgets(visit, &mut live);
    live
}

/// What is shown of one user.
#[derive(Default)]
struct Seen {
    lately: u64,
    hour: u64,
    live: u64,
    /// The nearest bound of a day, where their session has one.
    limit: Limit,
}

/// Sets the table of users.
pub(crate) fn fill(visit: &Visit, live: &mut Live, most: usize) {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for (subject, lately, hour) in visit.console.timeline().subjects(visit.now()) {
        let entry = seen.entry(subject.to_string()).or_default();
        (entry.lately, entry.hour) = (lately, hour);
    }
    let sessions = visit.app.broker().sessions();
    for session in sessions.live.list(&LiveFilter::default()) {
        let entry = seen.entry(session.grant().subject.to_string()).or_default();
        entry.live += 1;
        entry.limit = session.facts().budget.subject_day;
    }
    let mut listed: Vec<_> = seen.into_iter().collect();
    listed.sort_by_key(|(_, seen)| std::cmp::Reverse((seen.hour, seen.live)));
    listed.truncate(most);
    let rows = listed
        .iter()
        .map(|(subject, seen)| row(visit, subject, seen));
    live.tables.push(Table {
        name: "users",
        rows: rows.collect(),
    });
}

fn row(visit: &Visit, subject: &str, seen: &Seen) -> Row {
    let used = spent(visit, subject);
    let percent = seen.limit.cost.map(|most| percent(used.cost.0, most.0));
    let cost = Cell::of(dollars(used.cost)).percent(percent);
    let live = std::time::Duration::from_millis(used.live_ms);
    Row {
        key: part(subject),
        cells: vec![
            Cell::foreign(subject).to(address("/console/audit", &[("subject", subject)])),
            Cell::of(grouped(seen.lately)),
            Cell::of(grouped(seen.hour)),
            Cell::of(grouped(seen.live)),
            Cell::of(when::lasting(live)),
            cost.is(judge(percent)),
        ],
        action: None,
    }
}

fn spent(visit: &Visit, subject: &str) -> Usage {
    let ledger = &visit.app.broker().sessions().usage;
    let account = Subject::new(subject).map(Account::Subject);
    account.map_or_else(
        |_| Usage::default(),
        |account| ledger.spent(&account, day_of(visit.now())),
    )
}

/// Says what today cost, and how much of the roles' budgets that is.
pub(crate) fn say_cost(visit: &Visit, live: &mut Live) {
    let cost = roles(visit)
        .iter()
        .fold(NanoUsd::ZERO, |sum, (_, used)| sum.plus(used.cost));
    live.say("cost", dollars(cost));
    let bounds = roles(visit);
    let bounded = bounds.iter().filter_map(|(role, used)| {
        let most = role.budget.role_day.cost?;
        Some((percent(used.cost.0, most.0), role.name.to_string(), most))
    });
    match bounded.max_by_key(|(percent, ..)| *percent) {
        Some((percent, role, most)) => {
            let role = crate::text::short(&role);
            live.say(
                "cost_note",
                format!("{percent} % of {} for {role}", dollars(most)),
            );
            live.judge("cost", judge(Some(percent)));
        }
        None => live.say("cost_note", "no budget of a whole role is set"),
    }
}

fn roles(visit: &Visit) -> Vec<(std::sync::Arc<Role>, Usage)> {
    let broker = visit.app.broker();
    let (policy, day) = (broker.policy(), day_of(visit.now()));
    let ledger = &broker.sessions().usage;
    let roles = policy.roles.values();
    roles
        .map(|role| {
            let account = Account::Role(role.name.clone());
            (role.clone(), ledger.spent(&account, day))
        })
        .collect()
}

/// Sets the table of budgets: one row for each role that has been used or has
/// a bound.
pub(crate) fn fill_budgets(visit: &Visit, live: &mut Live) {
    let rows = roles(visit).into_iter().filter_map(|(role, used)| {
        let bound = role.budget.role_day;
        if used.is_empty() && role.budget.is_unbounded() {
            return None;
        }
        let share = bound.cost.map(|most| percent(used.cost.0, most.0));
        let or_none = |cost: Option<NanoUsd>| cost.map_or_else(|| "–".to_owned(), dollars);
        let live = std::time::Duration::from_millis(used.live_ms);
        Some(Row {
            key: role.name.to_string(),
            cells: vec![
                Cell::foreign(role.name.as_str()),
                Cell::of(dollars(used.cost)).percent(share).is(judge(share)),
                Cell::of(or_none(bound.cost)),
                Cell::of(or_none(role.budget.subject_day.cost)),
                Cell::of(or_none(role.budget.session.cost)),
                Cell::of(when::lasting(live)),
            ],
            action: None,
        })
    });
    live.tables.push(Table {
        name: "budgets",
        rows: rows.collect(),
    });
}

/// The table of users.
pub(crate) fn sheet(live: &Live) -> Markup {
    Sheet {
        name: "users",
        caption: "Users, those with the most client secrets first",
        columns: &[
            words("User"),
            numbers("Secrets, 2 min"),
            numbers("Secrets, 1 h"),
            numbers("Live"),
            numbers("Live today"),
            numbers("Cost today"),
        ],
        empty: "Nobody asked for a client secret in the last hour.",
        ask: None,
    }
    .show(live)
}

/// The table of budgets.
pub(crate) fn budget_sheet(live: &Live) -> Markup {
    Sheet {
        name: "budgets",
        caption: "What each role used today, and may use",
        columns: &[
            words("Role"),
            numbers("Cost"),
            numbers("Of the role"),
            numbers("Of each user"),
            numbers("Of a session"),
            numbers("Live"),
        ],
        empty: "No role has a budget, and none was used today.",
        ask: None,
    }
    .show(live)
}

/// Hundredths of a bound, at most a hundred; a bound of nothing is reached.
fn percent(used: u64, most: u64) -> u8 {
    let part = (u128::from(used) * 100).checked_div(u128::from(most));
    u8::try_from(part.unwrap_or(100).min(100)).unwrap_or(100)
}

const fn judge(percent: Option<u8>) -> State {
    match percent {
        Some(100..) => State::Bad,
        Some(80..) => State::Warn,
        Some(_) => State::Good,
        None => State::None,
    }
}
