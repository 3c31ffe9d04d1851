//! Usage: counted in memory, written behind, added up in the file.

pub(crate) mod columns;
mod counting;
mod totals;

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use hallpass_core::{
    ports::StoreError,
    usage::{
        Account, ActivityKey, Source, Tally, Usage, UsageKey, UsageLedger, UsageQuery, UsageTotals,
    },
};
use jiff::civil::Date;
use tokio::sync::Notify;

use crate::database::{Database, store_error};
use columns::{bind_counts, usage};

/// How long usage is gathered into one transaction; a crash of the process
/// takes no more than this.
const GATHER: Duration = Duration::from_secs(1);

/// The usage of one installation.
pub struct SqliteUsage {
    database: Database,
    held: Mutex<Held>,
    wake: Notify,
}

#[derive(Default)]
struct Held {
    /// Of today, by account.
    sums: HashMap<(Date, Account), Usage>,
    /// Not in the file yet.
    waiting: HashMap<UsageKey, Usage>,
}

impl SqliteUsage {
    /// Reads what was used on a day and after it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be read.
    pub async fn load(database: Database, today: Date) -> Result<Self, StoreError> {
        let rows = sqlx::query("SELECT * FROM usage WHERE hour >= ? AND source = 'measured'")
            .bind(today.to_string())
            .fetch_all(&database.pool)
            .await
            .map_err(store_error)?;
        let mut held = Held::default();
        for row in &rows {
            held.count(&columns::key(row)?, &usage(row)?);
        }
        Ok(Self {
            database,
            held: Mutex::new(held),
            wake: Notify::new(),
        })
    }

    /// Writes what waits until `stop` ends, and then the rest.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = self.wake.notified() => {}
            }
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(GATHER) => {}
            }
            if let Err(error) = self.flush().await {
                tracing::error!(%error, "usage can't be written; trying again");
                self.wake.notify_one();
            }
        }
        if let Err(error) = self.flush().await {
            tracing::error!(%error, "the last usage is not in the file");
        }
    }

    /// Writes everything that waits now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be written; it all waits again then.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut self.held().waiting);
        let written = self.write(&waiting).await;
        if written.is_err() {
            let mut held = self.held();
            for (key, usage) in waiting {
                held.waiting.entry(key).or_default().add(&usage);
            }
        }
        written
    }

    async fn write(&self, waiting: &HashMap<UsageKey, Usage>) -> Result<(), StoreError> {
        if waiting.is_empty() {
            return Ok(());
        }
        let begun = self.database.behind.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(store_error)?;
        let sql = columns::upsert();
        for (key, usage) in waiting {
            let query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()))
                .bind(key.hour.to_string())
                .bind(key.session.clone())
                .bind(key.subject.to_string())
                .bind(key.role.to_string())
                .bind(key.profile.to_string())
                .bind(columns::mode(key))
                .bind(key.model.clone())
                .bind(<&'static str>::from(key.source));
            let written = bind_counts(query, usage).execute(&mut *transaction).await;
            written.map_err(store_error)?;
        }
        transaction.commit().await.map_err(store_error)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Adds to the sums of a key's accounts; what a page reports counts for
    /// nothing.
    fn count(&mut self, key: &UsageKey, usage: &Usage) {
        if key.source == Source::Reported {
            return;
        }
        let day = key.hour.day;
        let accounts = [
            Account::Subject(key.subject.clone()),
            Account::Role(key.role.clone()),
        ];
        for account in accounts {
            let known = self.sums.contains_key(&(day, account.clone()));
            if !known {
                self.sums
                    .retain(|(old, _), _| *old >= day.yesterday().unwrap_or(*old));
            }
            self.sums.entry((day, account)).or_default().add(usage);
        }
    }
}

#[async_trait]
impl UsageLedger for SqliteUsage {
    fn add(&self, key: &UsageKey, usage: &Usage) {
        let mut held = self.held();
        held.count(key, usage);
        held.waiting.entry(key.clone()).or_default().add(usage);
        drop(held);
        self.wake.notify_one();
    }

    fn spent(&self, account: &Account, day: Date) -> Usage {
        let held = self.held();
        let sum = held.sums.get(&(day, account.clone()));
        sum.copied().unwrap_or_default()
    }

    async fn totals(&self, query: &UsageQuery) -> Result<UsageTotals, StoreError> {
        // Whoever asks sees what they just used.
        self.flush().await?;
        totals::read(&self.database, query).await
    }

    async fn counted(&self, trail: &str) -> Result<u64, StoreError> {
        counting::counted(&self.database.pool, trail).await
    }

    async fn count(
        &self,
        trail: &str,
        range: Range<u64>,
        counts: &HashMap<ActivityKey, Tally>,
    ) -> Result<(), StoreError> {
        counting::count(&self.database, trail, range, counts).await
    }

    async fn forget(&self, before: Date) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        for sql in [
            "DELETE FROM usage WHERE hour < ?",
            "DELETE FROM activity WHERE hour < ?",
        ] {
            let gone = sqlx::query(sql)
                .bind(before.to_string())
                .execute(&self.database.behind)
                .await
                .map_err(store_error)?;
            forgotten += usize::try_from(gone.rows_affected()).unwrap_or(usize::MAX);
        }
        Ok(forgotten)
    }
}
