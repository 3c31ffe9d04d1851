//! Usage: counted in memory, written behind, added up in the database.

pub(crate) mod columns;
mod counting;
mod held;
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
    usage::{Account, ActivityKey, Tally, Usage, UsageKey, UsageLedger, UsageQuery, UsageTotals},
};
use jiff::civil::Date;
use sqlx::postgres::PgRow;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{database::Database, replica::Replica, rows::number, statement::Statement};
use held::{AccountDay, Batch, Held};

/// How long usage is gathered, and how old a sum of all replicas is at most.
const ROUND: Duration = Duration::from_secs(1);

/// The usage of one installation.
///
/// A replica counts at once what it measures itself. What others measured for
/// the same accounts it learns each second, so that a budget all of them draw
/// on is overdrawn by no more than they use in that time.
pub struct PgUsage {
    database: Database,
    incarnation: String,
    held: Mutex<Held>,
    /// Held while a batch is written or sums are read.
    turn: tokio::sync::Mutex<()>,
}

impl PgUsage {
    /// Reads what accounts used on a day and after it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn load(
        database: Database,
        replica: &Replica,
        today: Date,
    ) -> Result<Self, StoreError> {
        let asked = Statement::new("SELECT * FROM usage_sums WHERE day >= $1");
        let rows = database.rows(asked.bind(today.to_string())).await?;
        let mut held = Held::default();
        held.learn(rows.iter().map(sum).collect::<Result<_, _>>()?);
        Ok(Self {
            database,
            incarnation: replica.incarnation().to_owned(),
            held: Mutex::new(held),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// Writes what was used and learns what others used until `stop` ends, and
    /// then writes the rest; `written` is told of each success.
    pub async fn run(&self, stop: impl Future<Output = ()>, written: impl Fn()) {
        tokio::pin!(stop);
        let mut ticks = interval(ROUND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = ticks.tick() => {}
            }
            match self.round().await {
                Ok(()) => written(),
                Err(error) => {
                    tracing::error!(%error, "usage can't be written or read; trying again");
                }
            }
        }
        if let Err(error) = self.flush().await {
            tracing::error!(%error, "the last usage is not in the database");
        }
    }

    async fn round(&self) -> Result<(), StoreError> {
        self.flush().await?;
        let _turn = self.turn.lock().await;
        let wanted = self.held().wanted(Instant::now());
        if wanted.is_empty() {
            return Ok(());
        }
        let rows = self.database.rows(sums_of(&wanted)).await?;
        let sums = rows.iter().map(sum).collect::<Result<_, _>>()?;
        self.held().learn(sums);
        Ok(())
    }

    /// Writes everything that waits now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be written; it is all sent again
    /// then, and counted once whether or not it had arrived.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let _turn = self.turn.lock().await;
        // At most the batch under way, and what came since.
        for _ in 0..2 {
            let next = self.held().next();
            let Some(Batch { number, rows }) = next else {
                return Ok(());
            };
            let write = columns::write(&self.incarnation, number, &rows);
            let rows = self.database.rows(write).await?;
            let sums = rows.iter().map(sum).collect::<Result<_, _>>()?;
            self.held().written(sums, Instant::now());
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl UsageLedger for PgUsage {
    fn add(&self, key: &UsageKey, usage: &Usage) {
        self.held().add(key, usage);
    }

    fn spent(&self, account: &Account, day: Date) -> Usage {
        self.held().spent(account, day, Instant::now())
    }

    async fn totals(&self, query: &UsageQuery) -> Result<UsageTotals, StoreError> {
        // Whoever asks sees what they just used.
        self.flush().await?;
        let rows = self.database.rows(totals::select(query)).await?;
        let groups = rows.iter().map(|row| totals::total(query, row));
        Ok(query.cut(groups.collect::<Result<_, _>>()?))
    }

    async fn counted(&self, trail: &str) -> Result<u64, StoreError> {
        let row = self.database.row(counting::counted(trail)).await?;
        row.map_or(Ok(0), |row| number(&row, "next"))
    }

    async fn count(
        &self,
        trail: &str,
        range: Range<u64>,
        counts: &HashMap<ActivityKey, Tally>,
    ) -> Result<(), StoreError> {
        let added = counting::count(trail, &range, counts);
        if self.database.row(added).await?.is_some() {
            return Ok(());
        }
        // Sent twice, it may have been done the first time.
        let place = self.counted(trail).await?;
        if place >= range.end {
            return Ok(());
        }
        let text = format!("the trail is counted up to {place}, not {}", range.start);
        Err(StoreError(text))
    }

    async fn forget(&self, before: Date) -> Result<usize, StoreError> {
        let gone = Statement::new(
            "WITH sums AS (DELETE FROM usage_sums WHERE day < $1), \
             days AS (DELETE FROM usage WHERE day < $1 RETURNING by_hour), \
             hours AS (DELETE FROM usage_hours WHERE hour < $1 RETURNING 1), \
             told AS (DELETE FROM activity WHERE hour < $1 RETURNING 1) \
             SELECT (SELECT COUNT(*) FROM days WHERE NOT by_hour) \
             + (SELECT COUNT(*) FROM hours) + (SELECT COUNT(*) FROM told) AS gone",
        );
        let row = self.database.row(gone.bind(before.to_string())).await?;
        let gone = row.map_or(Ok(0), |row| number(&row, "gone"))?;
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }
}

fn sum(row: &PgRow) -> Result<(AccountDay, Usage), StoreError> {
    Ok((columns::account(row)?, columns::usage(row)?))
}

/// Asks for the sums of some accounts, each by its key.
fn sums_of(wanted: &[AccountDay]) -> Statement {
    let (mut days, mut kinds, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (day, account) in wanted {
        let (kind, name) = match account {
            Account::Subject(subject) => ("subject", subject.as_str()),
            Account::Role(role) => ("role", role.as_str()),
        };
        days.push(day.to_string());
        kinds.push(kind);
        names.push(name);
    }
    Statement::new(
        "SELECT usage_sums.* FROM unnest($1::text[], $2::text[], $3::text[]) \
         AS wanted (day, kind, account) JOIN usage_sums USING (day, kind, account)",
    )
    .bind(days)
    .bind(kinds)
    .bind(names)
}
