//! What the trail counts: added together with how far it is counted.

use std::{collections::HashMap, ops::Range};

use hallpass_core::{
    ports::StoreError,
    usage::{ActivityKey, Tally},
};
use sqlx::{Sqlite, SqliteExecutor, Transaction};

use crate::{
    database::{Database, store_error},
    rows::{damaged, get},
};

const ADD: &str = "INSERT INTO activity \
    (hour, subject, profile, mode, model, source, activity, reason, times, cost) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT (hour, subject, profile, mode, model, source, activity, reason) \
    DO UPDATE SET times = times + excluded.times, cost = cost + excluded.cost";

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
    for (key, tally) in counts {
        add(&mut transaction, key, *tally).await?;
    }
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
    key: &ActivityKey,
    tally: Tally,
) -> Result<(), StoreError> {
    let added = sqlx::query(ADD)
        .bind(key.hour.to_string())
        .bind(&key.subject)
        .bind(&key.profile)
        .bind(&key.mode)
        .bind(&key.model)
        .bind(<&'static str>::from(key.source))
        .bind(<&'static str>::from(key.happening.activity))
        .bind(&key.happening.reason)
        .bind(whole(tally.times))
        .bind(whole(tally.cost.0))
        .execute(&mut **transaction)
        .await;
    added.map(drop).map_err(store_error)
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
