//! Usage: counted in memory, written behind, added up in the file.

pub(crate) mod columns;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use hallpass_core::{
    ports::StoreError,
    usage::{Account, Grouping, Source, Usage, UsageKey, UsageLedger, UsageQuery, UsageTotal},
};
use jiff::civil::Date;
use sqlx::{QueryBuilder, Sqlite};
use tokio::sync::Notify;

use crate::{
    database::{Database, store_error},
    rows::{damaged, get, parsed},
};
use columns::{COUNTS, bind_counts, usage};

/// How long usage is gathered into one transaction; a crash of the process
/// takes no more than this.
const GATHER: Duration = Duration::from_secs(1);
/// Most groups one question is answered with.
const MAX_GROUPS: usize = 10_000;

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
        let rows = sqlx::query("SELECT * FROM usage WHERE day >= ? AND source = 'measured'")
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
                .bind(key.day.to_string())
                .bind(key.session.clone())
                .bind(key.subject.to_string())
                .bind(key.role.to_string())
                .bind(key.profile.to_string())
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
        let accounts = [
            Account::Subject(key.subject.clone()),
            Account::Role(key.role.clone()),
        ];
        for account in accounts {
            let known = self.sums.contains_key(&(key.day, account.clone()));
            if !known {
                self.sums
                    .retain(|(day, _), _| *day >= key.day.yesterday().unwrap_or(*day));
            }
            self.sums.entry((key.day, account)).or_default().add(usage);
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

    async fn totals(&self, query: &UsageQuery) -> Result<Vec<UsageTotal>, StoreError> {
        // Whoever asks sees what they just used.
        self.flush().await?;
        let rows = select(query).build().fetch_all(&self.database.pool).await;
        let total = |row| {
            let sessions: i64 = get(row, "sessions")?;
            Ok(UsageTotal {
                group: get(row, "grouped")?,
                source: parsed(row, "source")?,
                sessions: u64::try_from(sessions).map_err(|_| damaged("sessions", sessions))?,
                usage: usage(row)?,
            })
        };
        rows.map_err(store_error)?.iter().map(total).collect()
    }

    async fn forget(&self, before: Date) -> Result<usize, StoreError> {
        let forgotten = sqlx::query("DELETE FROM usage WHERE day < ?")
            .bind(before.to_string())
            .execute(&self.database.behind)
            .await
            .map_err(store_error)?;
        Ok(usize::try_from(forgotten.rows_affected()).unwrap_or(usize::MAX))
    }
}

fn select(query: &UsageQuery) -> QueryBuilder<Sqlite> {
    let column = match query.by {
        Grouping::Session => "session",
        Grouping::Subject => "subject",
        Grouping::Role => "role",
        Grouping::Profile => "profile",
        Grouping::Model => "model",
        Grouping::Day => "day",
    };
    let sums: String = COUNTS
        .iter()
        .map(|count| format!(", SUM({count}) AS {count}"))
        .collect();
    let mut select = QueryBuilder::new(format!(
        "SELECT {column} AS grouped, source, COUNT(DISTINCT session) AS sessions{sums} FROM usage WHERE 1"
    ));
    if let Some(from) = query.from {
        select.push(" AND day >= ").push_bind(from.to_string());
    }
    if let Some(to) = query.to {
        select.push(" AND day <= ").push_bind(to.to_string());
    }
    let texts = [
        ("subject", query.subject.as_ref().map(ToString::to_string)),
        ("profile", query.profile.as_ref().map(ToString::to_string)),
        ("session", query.session.as_ref().map(ToString::to_string)),
    ];
    for (name, text) in texts {
        let Some(text) = text else { continue };
        select.push(" AND ").push(name).push(" = ").push_bind(text);
    }
    let limit = query.limit.clamp(1, MAX_GROUPS);
    select.push(" GROUP BY grouped, source ORDER BY SUM(cost) DESC, grouped LIMIT ");
    select.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    select
}
