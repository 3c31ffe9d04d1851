//! Writes waiting grants to the file, many in one transaction.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use hallpass_core::{grant::Grant, ports::StoreError};
use sqlx::{Row, Sqlite, SqlitePool, Transaction};

use crate::{
    database::store_error,
    grant_rows::{COLUMN_COUNT, COLUMNS, bind, id_bits, id_bytes},
    grants::SqliteGrants,
    runs::Written,
};

/// How long grants are gathered into one transaction: the longer, the more of
/// them share a page, and the less each costs.
const GATHER: Duration = Duration::from_millis(500);
/// How long to wait after a failed transaction.
const RETRY: Duration = Duration::from_secs(1);

/// The name under which the registry notes how far it followed the trail.
const CURSOR: &str = "grants";

/// How far the audit trail is durable.
pub trait Progress: Send + Sync {
    /// The number of the next record: every record before it is durable.
    fn next_sequence(&self) -> u64;
}

/// The task that writes behind.
pub struct Flusher {
    grants: Arc<SqliteGrants>,
    trail: Arc<dyn Progress>,
}

impl Flusher {
    /// A flusher for a registry and the trail it follows.
    #[must_use]
    pub fn new(grants: Arc<SqliteGrants>, trail: Arc<dyn Progress>) -> Self {
        Self { grants, trail }
    }

    /// Runs until `stop` ends, then writes what still waits; `written` is told
    /// of each success.
    pub async fn run(self, stop: impl Future<Output = ()>, written: impl Fn()) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = self.grants.wake.notified() => {}
            }
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(GATHER) => {}
            }
            match self.flush().await {
                Ok(()) => written(),
                Err(error) => {
                    tracing::error!(%error, "the registry of grants can't be written; trying again");
                    tokio::time::sleep(RETRY).await;
                    self.grants.wake.notify_one();
                }
            }
        }
        if let Err(error) = self.flush().await {
            tracing::error!(%error, "the last grants are not in the registry; the next start restores them from the trail");
        }
    }

    /// Writes everything that waits now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be written; nothing is lost from memory.
    pub async fn flush(&self) -> Result<(), StoreError> {
        // A grant waits here before its final record is queued, so every grant
        // of a record before this number is in the file or in this batch.
        let sequence = self.trail.next_sequence();
        let mut settled = self.grants.settle(&self.grants.database.behind).await?;
        note_followed(&mut settled.transaction, sequence).await?;
        settled.commit().await
    }
}

/// A transaction in which everything that waited is written already.
///
/// Dropped before [`Settled::commit`], everything waits again.
pub(crate) struct Settled<'g> {
    pub(crate) transaction: Transaction<'static, Sqlite>,
    batch: Writing<'g>,
}

/// The batch under way, and the turn to write the file.
struct Writing<'g> {
    grants: &'g SqliteGrants,
    written: bool,
    _writer: tokio::sync::MutexGuard<'g, ()>,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.grants.pending().end(self.written);
    }
}

impl Settled<'_> {
    /// Makes it all so.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(store_error)?;
        self.batch.written = true;
        Ok(())
    }
}

impl SqliteGrants {
    /// Begins a transaction with what waits.
    pub(crate) async fn settle(&self, pool: &SqlitePool) -> Result<Settled<'_>, StoreError> {
        let writer = self.writer.lock().await;
        let begun = pool.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(store_error)?;
        let batch = Writing {
            grants: self,
            written: false,
            _writer: writer,
        };
        let waiting = self.pending().begin();
        let mut grants: Vec<&Grant> = waiting.values().map(|grant| &**grant).collect();
        // In the order of their ids, so that neighbours share a page. Each id
        // is looked at once: there are thousands, all over the memory.
        grants.sort_by_cached_key(|grant| id_bits(&grant.id));
        write(&mut transaction, &grants).await?;
        Ok(Settled { transaction, batch })
    }

    /// The number of the trail's first record the registry has not followed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be read.
    pub async fn followed(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT sequence FROM cursors WHERE name = ?")
            .bind(CURSOR)
            .fetch_optional(&self.database.pool)
            .await
            .map_err(store_error)?;
        let sequence: i64 = row
            .map_or(Ok(0), |row| row.try_get(0))
            .map_err(store_error)?;
        Ok(u64::try_from(sequence).unwrap_or(0))
    }

    /// Forgets how far the trail was followed: another one has begun.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be written.
    pub async fn follow_anew(&self) -> Result<(), StoreError> {
        let forgotten = sqlx::query("DELETE FROM cursors WHERE name = ?")
            .bind(CURSOR)
            .execute(&self.database.pool)
            .await;
        forgotten.map(drop).map_err(store_error)
    }

    /// Enters grants read from the trail after a crash; what is known of one
    /// already is never taken back.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be written.
    pub async fn restore(&self, grants: &[Grant], sequence: u64) -> Result<(), StoreError> {
        let _writer = self.writer.lock().await;
        let begun = self.database.pool.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(store_error)?;
        write(&mut transaction, &grants.iter().collect::<Vec<_>>()).await?;
        for grant in grants {
            supersede(&mut transaction, grant).await?;
        }
        note_followed(&mut transaction, sequence).await?;
        transaction.commit().await.map_err(store_error)
    }
}

/// Notes on a refreshed grant what the trail says only of its successor.
async fn supersede(
    transaction: &mut Transaction<'_, Sqlite>,
    successor: &Grant,
) -> Result<(), StoreError> {
    let Some(of) = &successor.refresh_of else {
        return Ok(());
    };
    let noted =
        sqlx::query("UPDATE grants SET superseded_by = COALESCE(superseded_by, ?) WHERE id = ?")
            .bind(id_bytes(&successor.id))
            .bind(id_bytes(&of.grant))
            .execute(&mut **transaction)
            .await;
    noted.map(drop).map_err(store_error)
}

async fn note_followed(
    transaction: &mut Transaction<'_, Sqlite>,
    sequence: u64,
) -> Result<(), StoreError> {
    let noted = sqlx::query(
        "INSERT INTO cursors (name, sequence) VALUES (?, ?) \
         ON CONFLICT (name) DO UPDATE SET sequence = MAX(sequence, excluded.sequence)",
    )
    .bind(CURSOR)
    .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
    .execute(&mut **transaction)
    .await;
    noted.map(drop).map_err(store_error)
}

/// Statements for this many rows each: few, so that all stay prepared.
static STATEMENTS: LazyLock<[(usize, String); 4]> =
    LazyLock::new(|| [64, 16, 4, 1].map(|rows| (rows, insert_sql(rows))));

/// Inserts rows; one that is there goes on along its life, never back.
fn insert_sql(rows: usize) -> String {
    let row = format!("({})", vec!["?"; COLUMN_COUNT].join(", "));
    let rows = vec![row; rows].join(", ");
    format!(
        "INSERT INTO grants ({COLUMNS}) VALUES {rows} ON CONFLICT (id) DO UPDATE SET \
         due_at = CASE WHEN excluded.state > state THEN excluded.due_at ELSE due_at END, \
         state = MAX(state, excluded.state), \
         superseded_by = COALESCE(superseded_by, excluded.superseded_by)"
    )
}

async fn write(
    transaction: &mut Transaction<'_, Sqlite>,
    mut grants: &[&Grant],
) -> Result<(), StoreError> {
    let Some(written) = Written::begin(transaction, grants).await? else {
        return Ok(());
    };
    for (rows, sql) in STATEMENTS.iter() {
        while let Some((chunk, rest)) = grants.split_at_checked(*rows) {
            grants = rest;
            let mut query = sqlx::query(sql.as_str());
            for grant in chunk {
                query = bind(query, grant).map_err(store_error)?;
            }
            query
                .execute(&mut **transaction)
                .await
                .map_err(store_error)?;
        }
    }
    written.end(transaction).await
}
