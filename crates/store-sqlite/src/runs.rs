//! The runs of grants: as many as were written one after the other.
//!
//! The index by subject is kept run by run, so that writing touches the last
//! run's pages only. A question about one subject is put to each run in turn.

use hallpass_core::{
    grant::Grant,
    ports::{GrantFilter, StoreError},
};
use sqlx::{Row, Sqlite, SqlitePool, Transaction, sqlite::SqliteRow};

use crate::{database::store_error, query::select_within};

/// Bits of a grant's number that its run does not have; the migrations and
/// [`RUN`] say the same.
const BITS: i64 = 14;
/// The run of a row.
pub(crate) const RUN: &str = "(n >> 14)";

/// Counts the grants that are written, to tell afterwards where they went.
pub(crate) struct Written {
    before: i64,
    /// When they were made, earliest and latest, in milliseconds.
    times: (i64, i64),
}

impl Written {
    /// Begins before some grants are written.
    pub(crate) async fn begin(
        transaction: &mut Transaction<'_, Sqlite>,
        grants: &[&Grant],
    ) -> Result<Option<Self>, StoreError> {
        let times = grants.iter().map(|grant| grant.created_at.as_millisecond());
        let (earliest, latest) = (times.clone().min(), times.max());
        let (Some(earliest), Some(latest)) = (earliest, latest) else {
            return Ok(None);
        };
        Ok(Some(Self {
            before: last(transaction).await?,
            times: (earliest, latest),
        }))
    }

    /// Notes when the grants of the runs were made that were written to.
    pub(crate) async fn end(
        self,
        transaction: &mut Transaction<'_, Sqlite>,
    ) -> Result<(), StoreError> {
        let after = last(transaction).await?;
        if after == self.before {
            return Ok(());
        }
        for run in (self.before + 1) >> BITS..=after >> BITS {
            sqlx::query(
                "INSERT INTO grant_runs (run, earliest, latest) VALUES (?, ?, ?) \
                 ON CONFLICT (run) DO UPDATE SET earliest = MIN(earliest, excluded.earliest), \
                 latest = MAX(latest, excluded.latest)",
            )
            .bind(run)
            .bind(self.times.0)
            .bind(self.times.1)
            .execute(&mut **transaction)
            .await
            .map_err(store_error)?;
        }
        Ok(())
    }
}

/// The number given last.
async fn last(transaction: &mut Transaction<'_, Sqlite>) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT COALESCE(MAX(n), 0) FROM grants")
        .fetch_one(&mut **transaction)
        .await;
    row.and_then(|row| row.try_get(0)).map_err(store_error)
}

/// A run, and when the latest of its grants was made.
type Span = (i64, i64);

/// The rows of one subject's grants, newest first, from as few runs as needed.
pub(crate) async fn rows_of(
    pool: &SqlitePool,
    filter: &GrantFilter,
    limit: usize,
) -> Result<Vec<SqliteRow>, StoreError> {
    let before = filter
        .before
        .as_ref()
        .map(|(time, _)| time.as_millisecond());
    let runs =
        sqlx::query("SELECT run, latest FROM grant_runs WHERE earliest <= ? ORDER BY latest DESC")
            .bind(before.unwrap_or(i64::MAX))
            .fetch_all(pool)
            .await
            .map_err(store_error)?;
    let span = |row: &SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?));
    let runs: Result<Vec<Span>, sqlx::Error> = runs.iter().map(span).collect();
    let runs = runs.map_err(store_error)?;
    let mut found: Vec<(Place, SqliteRow)> = Vec::new();
    for (run, latest) in runs {
        if let Some(((oldest, _), _)) = nth(&found, limit)
            && *oldest > latest
        {
            break;
        }
        let rows = select_within(filter, Some(run), limit)
            .build()
            .fetch_all(pool)
            .await
            .map_err(store_error)?;
        if rows.is_empty() {
            continue;
        }
        for row in rows {
            found.push((place(&row).map_err(store_error)?, row));
        }
        found.sort_by(|(a, _), (b, _)| b.cmp(a));
    }
    Ok(found.into_iter().map(|(_, row)| row).collect())
}

/// Where a row stands in a list: by time, then by id.
type Place = (i64, Vec<u8>);

fn place(row: &SqliteRow) -> Result<Place, sqlx::Error> {
    Ok((row.try_get("created_at")?, row.try_get("id")?))
}

fn nth<T>(found: &[T], limit: usize) -> Option<&T> {
    found.get(limit.checked_sub(1)?)
}

/// Forgets runs of which nothing is left.
pub(crate) async fn forget(pool: &SqlitePool) -> Result<(), StoreError> {
    let forgotten = sqlx::query(
        "DELETE FROM grant_runs WHERE run < (SELECT COALESCE(MIN(n), 0) >> 14 FROM grants)",
    )
    .execute(pool)
    .await;
    forgotten.map(drop).map_err(store_error)
}
