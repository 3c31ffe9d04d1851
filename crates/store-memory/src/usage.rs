//! Usage in memory: the sums that budgets are held against, and rows for those
//! who ask.

mod rows;

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    ports::StoreError,
    usage::{
        Account, ActivityKey, Source, Tally, Usage, UsageKey, UsageLedger, UsageQuery, UsageTotals,
    },
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
        let day = self.0.entry(key.hour.day).or_default();
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
    activity: HashMap<ActivityKey, Tally>,
    /// Of each trail the first record that is not counted.
    counted: HashMap<String, u64>,
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

    async fn totals(&self, query: &UsageQuery) -> Result<UsageTotals, StoreError> {
        let held = self.lock();
        Ok(rows::totals(query, &held.rows, &held.activity))
    }

    async fn counted(&self, trail: &str) -> Result<u64, StoreError> {
        Ok(self.lock().counted.get(trail).copied().unwrap_or(0))
    }

    async fn count(
        &self,
        trail: &str,
        range: Range<u64>,
        counts: &HashMap<ActivityKey, Tally>,
    ) -> Result<(), StoreError> {
        let mut held = self.lock();
        let place = held.counted.entry(trail.to_owned()).or_default();
        if *place >= range.end {
            return Ok(());
        }
        if *place != range.start {
            let text = format!("the trail is counted up to {place}, not {}", range.start);
            return Err(StoreError(text));
        }
        *place = range.end;
        for (key, tally) in counts {
            held.activity.entry(key.clone()).or_default().add(*tally);
        }
        Ok(())
    }

    async fn forget(&self, before: Date) -> Result<usize, StoreError> {
        let mut held = self.lock();
        let rows = held.rows.len() + held.activity.len();
        held.rows.retain(|key, _| key.hour.day >= before);
        held.activity.retain(|key, _| key.hour.day >= before);
        Ok(rows - held.rows.len() - held.activity.len())
    }
}
