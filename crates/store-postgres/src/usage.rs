//! Usage: counted in memory, written behind, added up in the database.

pub(crate) mod columns;
mod held;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use hallpass_core::{
    ports::StoreError,
    usage::{Account, Grouping, Usage, UsageKey, UsageLedger, UsageQuery, UsageTotal},
};
use jiff::civil::Date;
use sqlx::postgres::PgRow;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    database::Database,
    replica::Replica,
    rows::{get, how_many, limit, number, parsed},
    statement::Statement,
};
use held::{AccountDay, Batch, Held};

/// How long usage is gathered, and how old a sum of all replicas is at most.
const ROUND: Duration = Duration::from_secs(1);
/// Most groups one question is answered with.
const MAX_GROUPS: usize = 10_000;

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

    async fn totals(&self, query: &UsageQuery) -> Result<Vec<UsageTotal>, StoreError> {
        // Whoever asks sees what they just used.
        self.flush().await?;
        let rows = self.database.rows(select(query)).await?;
        rows.iter().map(total).collect()
    }

    async fn forget(&self, before: Date) -> Result<usize, StoreError> {
        let gone = Statement::new(
            "WITH sums AS (DELETE FROM usage_sums WHERE day < $1) DELETE FROM usage WHERE day < $1",
        );
        let gone = gone.bind(before.to_string());
        self.database.execute(gone).await.map(how_many)
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

fn total(row: &PgRow) -> Result<UsageTotal, StoreError> {
    Ok(UsageTotal {
        group: get(row, "grouped")?,
        source: parsed(row, "source")?,
        sessions: number(row, "sessions")?,
        usage: columns::usage(row)?,
    })
}

fn select(query: &UsageQuery) -> Statement {
    let column = match query.by {
        Grouping::Session => "session",
        Grouping::Subject => "subject",
        Grouping::Role => "role",
        Grouping::Profile => "profile",
        Grouping::Model => "model",
        Grouping::Day => "day",
    };
    let mut asked = Statement::new(format!(
        "SELECT {column} AS grouped, source, COUNT(DISTINCT session) AS sessions, {} \
         FROM usage WHERE true",
        columns::sums()
    ));
    let filters = [
        (" AND day >= ", query.from.map(|day| day.to_string())),
        (" AND day <= ", query.to.map(|day| day.to_string())),
        (
            " AND subject = ",
            query.subject.as_ref().map(ToString::to_string),
        ),
        (
            " AND profile = ",
            query.profile.as_ref().map(ToString::to_string),
        ),
        (
            " AND session = ",
            query.session.as_ref().map(ToString::to_string),
        ),
    ];
    for (text, value) in filters {
        let Some(value) = value else { continue };
        asked.push(text).push_bind(value);
    }
    asked.push(&format!(
        " GROUP BY {column}, source ORDER BY SUM(cost) DESC, {column} LIMIT "
    ));
    asked.push_bind(limit(query.limit.clamp(1, MAX_GROUPS)));
    asked
}
