//! Writes waiting grants to the file, many in one transaction.

use std::{sync::Arc, time::Duration};

use hallpass_core::{grant::Grant, ports::StoreError};
use sqlx::{QueryBuilder, Row, Sqlite, Transaction};

use crate::{database::store_error, grants::SqliteGrants, rows::GRANT_COLUMNS};

/// How long grants are gathered into one transaction.
const GATHER: Duration = Duration::from_millis(100);
/// How long to wait after a failed transaction.
const RETRY: Duration = Duration::from_secs(1);
/// Rows of one statement.
const ROWS_A_STATEMENT: usize = 64;

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

    /// Runs until `stop` ends, then writes what still waits.
    pub async fn run(self, stop: impl Future<Output = ()>) {
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
            if let Err(error) = self.flush().await {
                tracing::error!(%error, "the registry of grants can't be written; trying again");
                tokio::time::sleep(RETRY).await;
                self.grants.wake.notify_one();
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
        let batch = self.grants.take_batch();
        let written = self.grants.write(&batch, sequence).await;
        self.grants.batch_done(written.is_ok());
        written
    }
}

impl SqliteGrants {
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

    /// Enters grants read from the trail after a crash; known ones stay as they are.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the file can't be written.
    pub async fn restore(&self, grants: &[Grant], sequence: u64) -> Result<(), StoreError> {
        self.write(grants, sequence).await
    }

    fn take_batch(&self) -> Arc<Vec<Grant>> {
        let mut pending = self.pending();
        let batch = Arc::new(std::mem::take(&mut pending.waiting));
        pending.writing = batch.clone();
        batch
    }

    fn batch_done(&self, written: bool) {
        let mut pending = self.pending();
        let batch = std::mem::take(&mut pending.writing);
        if !written {
            let newer = std::mem::take(&mut pending.waiting);
            pending.waiting = batch.iter().cloned().chain(newer).collect();
        }
    }

    async fn write(&self, grants: &[Grant], sequence: u64) -> Result<(), StoreError> {
        let mut transaction = self.database.pool.begin().await.map_err(store_error)?;
        for rows in grants.chunks(ROWS_A_STATEMENT) {
            insert(&mut transaction, rows).await.map_err(store_error)?;
        }
        sqlx::query(
            "INSERT INTO cursors (name, sequence) VALUES (?, ?) \
             ON CONFLICT (name) DO UPDATE SET sequence = MAX(sequence, excluded.sequence)",
        )
        .bind(CURSOR)
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }
}

async fn insert(
    transaction: &mut Transaction<'_, Sqlite>,
    grants: &[Grant],
) -> Result<(), sqlx::Error> {
    let mut query = QueryBuilder::new(format!("INSERT OR IGNORE INTO grants ({GRANT_COLUMNS}) "));
    query.push_values(grants, |mut row, grant| {
        row.push_bind(grant.id.as_str())
            .push_bind(grant.lineage.as_str())
            .push_bind(<&'static str>::from(grant.state))
            .push_bind(grant.subject.as_str())
            .push_bind(grant.credential.as_str())
            .push_bind(grant.profile.as_str())
            .push_bind(grant.session_id.as_ref().map(|id| id.as_str()))
            .push_bind(<&'static str>::from(grant.mode))
            .push_bind(grant.created_at.as_millisecond())
            .push_bind(grant.expires_at.as_millisecond())
            .push_bind(grant.refresh_after.as_millisecond())
            .push_bind(grant.secret_last4.as_str())
            .push_bind(grant.secret_hash.as_str())
            .push_bind(grant.address.map(|address| address.to_string()))
            .push_bind(grant.user_agent.as_deref())
            .push_bind(grant.request_id.as_str())
            .push_bind(grant.upstream_request_id.as_deref());
    });
    query.build().execute(&mut **transaction).await.map(drop)
}
