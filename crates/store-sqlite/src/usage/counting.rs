//! What the trail counts: added together with how far it is counted.

use std::{collections::HashMap, ops::Range, sync::LazyLock};

use hallpass_core::{
    ports::StoreError,
    usage::{ActivityKey, Tally},
};
use sqlx::{Sqlite, SqliteExecutor, Transaction, query::Query, sqlite::SqliteArguments};

use crate::{
    database::{Database, store_error},
    rows::{damaged, get},
};

/// Statements for this many rows each: few, so that all stay prepared.
static STATEMENTS: LazyLock<[(usize, String); 3]> =
    LazyLock::new(|| [32, 8, 1].map(|rows| (rows, add_sql(rows))));

fn add_sql(rows: usize) -> String {
    let rows = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; rows].join(", ");
    format!(
        "INSERT INTO activity \
         (hour, subject, profile, mode, model, source, activity, reason, times, cost) VALUES {rows} \
         ON CONFLICT (hour, subject, profile, mode, model, source, activity, reason) \
         DO UPDATE SET times = times + excluded.times, cost = cost + excluded.cost"
    )
}

const MOVE_ON: &str = "INSERT INTO counted_trails (trail, next) VALUES (?, ?) \
    ON CONFLICT (trail) DO UPDATE SET next = excluded.next";

pub(super) async fn counted(
    database: impl SqliteExecutor<'_>,
    trail: &str,
) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT next FROM counted_trails WHERE trail = ?")
        .bind(trail)
        .fetch_optional(database)
        .await
        .map_err(store_error)?;
    let Some(row) = row else { return Ok(0) };
    let next: i64 = get(&row, "next")?;
    u64::try_from(next).map_err(|_| damaged("next", next))
}

pub(super) async fn count(
    database: &Database,
    trail: &str,
    range: Range<u64>,
    counts: &HashMap<ActivityKey, Tally>,
) -> Result<(), StoreError> {
    let begun = database.behind.begin_with("BEGIN IMMEDIATE").await;
    let mut transaction = begun.map_err(store_error)?;
    let place = counted(&mut *transaction, trail).await?;
    if place >= range.end {
        return Ok(());
    }
    if place != range.start {
        let text = format!("the trail is counted up to {place}, not {}", range.start);
        return Err(StoreError(text));
    }
    add(&mut transaction, counts).await?;
    sqlx::query(MOVE_ON)
        .bind(trail)
        .bind(whole(range.end))
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
    transaction.commit().await.map_err(store_error)
}

async fn add(
    transaction: &mut Transaction<'_, Sqlite>,
    counts: &HashMap<ActivityKey, Tally>,
) -> Result<(), StoreError> {
    let mut counts: Vec<(&ActivityKey, &Tally)> = counts.iter().collect();
    // In the order of their key, so that neighbours share a page.
    counts.sort_unstable_by_key(|(key, _)| (key.hour, &key.subject));
    let mut counts = counts.as_slice();
    for (rows, sql) in STATEMENTS.iter() {
        while let Some((chunk, rest)) = counts.split_at_checked(*rows) {
            counts = rest;
            let mut query = sqlx::query(sql.as_str());
            for (key, tally) in chunk {
                query = bind(query, key, tally);
            }
            let added = query.execute(&mut **transaction).await;
            added.map_err(store_error)?;
        }
    }
    Ok(())
}

fn bind<'q>(
    query: Query<'q, Sqlite, SqliteArguments>,
    key: &ActivityKey,
    tally: &Tally,
) -> Query<'q, Sqlite, SqliteArguments> {
    query
        .bind(key.hour.to_string())
        .bind(key.subject.clone())
        .bind(key.profile.clone())
        .bind(key.mode.clone())
        .bind(key.model.clone())
        .bind(<&'static str>::from(key.source))
        .bind(<&'static str>::from(key.happening.activity))
        .bind(key.happening.reason.clone())
        .bind(whole(tally.times))
        .bind(whole(tally.cost.0))
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
