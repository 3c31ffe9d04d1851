//! Usage in memory: the sums that budgets are held against, and rows for those
//! who ask.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    ports::StoreError,
    usage::{Account, Grouping, Source, Usage, UsageKey, UsageLedger, UsageQuery, UsageTotal},
};
use jiff::civil::Date;

/// Days of which sums are kept; budgets ask for today alone.
const DAYS: usize = 2;

/// What accounts used, day by day.
#[derive(Debug, Default)]
pub struct DaySums(BTreeMap<Date, HashMap<Account, Usage>>);

impl DaySums {
    /// Adds to subject and role of a key; what a page reports counts for nothing.
    pub fn add(&mut self, key: &UsageKey, usage: &Usage) {
        if key.source == Source::Reported {
            return;
        }
        let day = self.0.entry(key.day).or_default();
        for account in [
            Account::Subject(key.subject.clone()),
            Account::Role(key.role.clone()),
        ] {
            day.entry(account).or_default().add(usage);
        }
        while self.0.len() > DAYS {
            self.0.pop_first();
        }
    }

    /// What an account used on a day.
    #[must_use]
    pub fn spent(&self, account: &Account, day: Date) -> Usage {
        let sums = self.0.get(&day);
        sums.and_then(|sums| sums.get(account))
            .copied()
            .unwrap_or_default()
    }
}

/// Usage that a restart forgets.
#[derive(Default)]
pub struct MemoryUsage(Mutex<Held>);

#[derive(Default)]
struct Held {
    sums: DaySums,
    rows: HashMap<UsageKey, Usage>,
}

impl MemoryUsage {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl UsageLedger for MemoryUsage {
    fn add(&self, key: &UsageKey, usage: &Usage) {
        let mut held = self.lock();
        held.sums.add(key, usage);
        held.rows.entry(key.clone()).or_default().add(usage);
    }

    fn spent(&self, account: &Account, day: Date) -> Usage {
        self.lock().sums.spent(account, day)
    }

    async fn totals(&self, query: &UsageQuery) -> Result<Vec<UsageTotal>, StoreError> {
        let held = self.lock();
        let rows = held.rows.iter().filter(|(key, _)| wanted(query, key));
        Ok(group(query, rows))
    }

    async fn forget(&self, before: Date) -> Result<usize, StoreError> {
        let mut held = self.lock();
        let rows = held.rows.len();
        held.rows.retain(|key, _| key.day >= before);
        Ok(rows - held.rows.len())
    }
}

fn wanted(query: &UsageQuery, key: &UsageKey) -> bool {
    query.from.is_none_or(|from| key.day >= from)
        && query.to.is_none_or(|to| key.day <= to)
        && query
            .subject
            .as_ref()
            .is_none_or(|subject| key.subject == *subject)
        && query
            .profile
            .as_ref()
            .is_none_or(|profile| key.profile == *profile)
        && query
            .session
            .as_ref()
            .is_none_or(|session| key.session == session.as_str())
}

fn group<'a>(
    query: &UsageQuery,
    rows: impl Iterator<Item = (&'a UsageKey, &'a Usage)>,
) -> Vec<UsageTotal> {
    let mut groups: BTreeMap<(String, Source), (HashSet<&str>, Usage)> = BTreeMap::new();
    for (key, usage) in rows {
        let name = match query.by {
            Grouping::Session => key.session.clone(),
            Grouping::Subject => key.subject.to_string(),
            Grouping::Role => key.role.to_string(),
            Grouping::Profile => key.profile.to_string(),
            Grouping::Model => key.model.clone(),
            Grouping::Day => key.day.to_string(),
        };
        let (sessions, sum) = groups.entry((name, key.source)).or_default();
        sessions.insert(&key.session);
        sum.add(usage);
    }
    let mut totals: Vec<UsageTotal> = groups
        .into_iter()
        .map(|((group, source), (sessions, usage))| UsageTotal {
            group,
            source,
            sessions: u64::try_from(sessions.len()).unwrap_or(u64::MAX),
            usage,
        })
        .collect();
    totals.sort_by(|a, b| {
        b.usage
            .cost
            .cmp(&a.usage.cost)
            .then_with(|| a.group.cmp(&b.group))
    });
    totals.truncate(query.limit.max(1));
    totals
}
