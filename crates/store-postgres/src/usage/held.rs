//! Usage in memory: what the database has summed, and what is on its way there.

use std::{collections::HashMap, time::Duration};

use hallpass_core::usage::{Account, Source, Usage, UsageKey};
use jiff::civil::Date;
use tokio::time::Instant;

/// How long an account's sum is looked after once it was asked for.
const LOOKED_AFTER: Duration = Duration::from_secs(60);

/// An account's day.
pub(super) type AccountDay = (Date, Account);

/// Some usage under its number, sent until it is written.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) number: i64,
    pub(super) rows: Vec<(UsageKey, Usage)>,
}

#[derive(Default)]
pub(super) struct Held {
    /// As the database had them last, all replicas' together.
    sums: HashMap<AccountDay, Usage>,
    /// Not in any batch yet: the rows, and what they add to sums.
    waiting: HashMap<UsageKey, Usage>,
    unsent: HashMap<AccountDay, Usage>,
    /// The batch under way, and what it adds to sums.
    batch: Option<Batch>,
    sent: HashMap<AccountDay, Usage>,
    batches: i64,
    /// Accounts somebody asked for, and when.
    asked: HashMap<AccountDay, Instant>,
    today: Option<Date>,
}

impl Held {
    pub(super) fn add(&mut self, key: &UsageKey, usage: &Usage) {
        self.waiting.entry(key.clone()).or_default().add(usage);
        // What a page reports counts for nothing.
        if key.source == Source::Reported {
            return;
        }
        let day = key.hour.day;
        let accounts = [
            Account::Subject(key.subject.clone()),
            Account::Role(key.role.clone()),
        ];
        for account in accounts {
            let sum = self.unsent.entry((day, account)).or_default();
            sum.add(usage);
        }
        if self.today < Some(day) {
            self.today = Some(day);
            let kept = day.yesterday().unwrap_or(day);
            self.sums.retain(|(old, _), _| *old >= kept);
        }
    }

    /// What an account used, as far as this replica knows.
    pub(super) fn spent(&mut self, account: &Account, day: Date, now: Instant) -> Usage {
        let key = (day, account.clone());
        let mut sum = Usage::default();
        for part in [&self.sums, &self.sent, &self.unsent] {
            if let Some(usage) = part.get(&key) {
                sum.add(usage);
            }
        }
        self.asked.insert(key, now);
        sum
    }

    /// What is sent next: the batch under way, or what waits as a new one.
    pub(super) fn next(&mut self) -> Option<Batch> {
        if self.batch.is_none() && !self.waiting.is_empty() {
            self.batches += 1;
            self.batch = Some(Batch {
                number: self.batches,
                rows: std::mem::take(&mut self.waiting).into_iter().collect(),
            });
            self.sent = std::mem::take(&mut self.unsent);
        }
        self.batch.clone()
    }

    /// The batch under way is written; these are the sums it made. Those it
    /// gives no sum for were written before, and asked for anew.
    pub(super) fn written(&mut self, sums: Vec<(AccountDay, Usage)>, now: Instant) {
        self.batch = None;
        let sent = std::mem::take(&mut self.sent);
        self.learn(sums);
        for (account, usage) in sent {
            let known = self.sums.entry(account.clone());
            known.or_insert(usage);
            self.asked.entry(account).or_insert(now);
        }
    }

    /// Takes sums as the database has them.
    pub(super) fn learn(&mut self, sums: Vec<(AccountDay, Usage)>) {
        self.sums.extend(sums);
    }

    /// The accounts whose sums somebody wants to know; forgets the others.
    pub(super) fn wanted(&mut self, now: Instant) -> Vec<AccountDay> {
        self.asked
            .retain(|_, asked| now.duration_since(*asked) < LOOKED_AFTER);
        self.asked.keys().cloned().collect()
    }
}
