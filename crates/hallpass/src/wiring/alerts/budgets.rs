//! How much of each day's budget is used, by whoever has a live session.

use std::{collections::BTreeSet, sync::Arc};

use hallpass_core::{
    Timestamp,
    alert::{Cause, Level, RuleKind},
    ids::{RoleName, Subject},
    live::LiveFilter,
    pipeline::Broker,
    usage::{Account, Limit, Usage, day_of},
};
use jiff::civil::Date;

/// Below this part of a budget nobody is looked at until they use more.
const REMEMBERED_PERCENT: f64 = 50.0;

/// Looks at whoever has a live session, and goes on where much is used.
pub(super) struct Budgets {
    broker: Arc<Broker>,
    /// Whose budgets are much used, and of which day.
    watched: BTreeSet<(Subject, RoleName)>,
    day: Option<Date>,
}

impl Budgets {
    pub(super) fn new(broker: Arc<Broker>) -> Self {
        Self {
            broker,
            watched: BTreeSet::new(),
            day: None,
        }
    }

    /// The budgets of which much is used.
    pub(super) fn look(&mut self, now: Timestamp) -> Vec<Level> {
        let (policy, ledger) = (self.broker.policy(), &self.broker.sessions().usage);
        let day = day_of(now);
        if self.day.replace(day) != Some(day) {
            self.watched.clear();
        }
        let live = self.broker.sessions().live.list(&LiveFilter::default());
        let spending = live.iter().map(|session| {
            let facts = session.facts();
            (facts.grant.subject.clone(), facts.role.clone())
        });
        self.watched.extend(spending);
        let mut levels = Vec::new();
        let mut roles = BTreeSet::new();
        self.watched.retain(|(subject, role)| {
            let Some(budget) = policy.roles.get(role).map(|role| role.budget) else {
                return false;
            };
            let account = Account::Subject(subject.clone());
            let used = ledger.spent(&account, day);
            let name = format!("subject {subject}");
            let mut most = push(&mut levels, &name, "day", budget.subject_day, &used);
            if roles.insert(role.clone()) {
                let used = ledger.spent(&Account::Role(role.clone()), day);
                let name = format!("role {role}");
                most = most.max(push(&mut levels, &name, "role_day", budget.role_day, &used));
            }
            most >= REMEMBERED_PERCENT
        });
        levels
    }
}

/// Tells how much of a limit is used; gives the greater part.
fn push(levels: &mut Vec<Level>, account: &str, bound: &str, limit: Limit, used: &Usage) -> f64 {
    let cost = limit
        .cost
        .map(|most| ("cost", percent(used.cost.0, most.0)));
    let live = limit.live.map(|most| {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        ("minutes", percent(used.live_ms, most))
    });
    let mut greatest = 0.0_f64;
    for (name, value) in [cost, live].into_iter().flatten() {
        greatest = greatest.max(value);
        if value < REMEMBERED_PERCENT {
            continue;
        }
        for kind in [RuleKind::BudgetNear, RuleKind::BudgetExhausted] {
            levels.push(Level {
                kind,
                cause: Cause::from([
                    ("account".to_owned(), account.to_owned()),
                    ("bound".to_owned(), format!("{bound}_{name}")),
                ]),
                value,
                detail: String::new(),
            });
        }
    }
    greatest
}

/// In hundredths; a bound of nothing is always reached.
#[allow(
    clippy::cast_precision_loss,
    reason = "for people, and far below 2^52 billionths of a dollar"
)]
fn percent(used: u64, most: u64) -> f64 {
    match most {
        0 => 100.0,
        most => (used as f64) * 100.0 / (most as f64),
    }
}
