//! The registry of grants: written behind, read as one.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use hallpass_core::{
    Timestamp,
    grant::{Grant, GrantEvent},
    ids::GrantId,
    ports::{GrantFilter, Grants, StoreError, Withdrawn},
    revocation::Scope,
};
use tokio::sync::Notify;

use crate::{
    database::{Database, store_error},
    grant_rows::{self, COLUMNS, id_bytes},
    pending::Pending,
    query::{order, select},
    runs,
};

/// How many grants may wait to be written before new ones are refused.
const MAX_PENDING: usize = 200_000;

/// Most grants one list gives.
pub(crate) const MAX_PAGE: usize = 500;

/// The grants of one installation.
pub struct SqliteGrants {
    pub(crate) database: Database,
    pending: Mutex<Pending>,
    pub(crate) wake: Notify,
    /// Held by whoever changes a grant that is known already.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Held by whoever writes the file.
    pub(crate) writer: tokio::sync::Mutex<()>,
    /// No grant is due before this, in milliseconds.
    next_due: AtomicI64,
}

impl SqliteGrants {
    /// The registry in a database; a [`crate::Flusher`] must run beside it.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            pending: Mutex::default(),
            wake: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            writer: tokio::sync::Mutex::default(),
            next_due: AtomicI64::new(i64::MIN),
        }
    }

    /// How many grants wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending().len()
    }

    pub(crate) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a grant in line for the file.
    pub(crate) fn put(&self, grant: Arc<Grant>) {
        if let Some(due) = grant.due_at() {
            self.due_no_later(due.as_millisecond());
        }
        if self.pending().put(grant) {
            self.wake.notify_one();
        }
    }

    pub(crate) fn due_no_later(&self, millis: i64) {
        self.next_due.fetch_min(millis, Ordering::AcqRel);
    }

    /// Whether a grant may be due; forgets when the next one is.
    pub(crate) fn take_due(&self, now: Timestamp) -> bool {
        if now.as_millisecond() < self.next_due.load(Ordering::Acquire) {
            return false;
        }
        self.next_due.store(i64::MAX, Ordering::Release);
        true
    }

    /// The grant as the file has it.
    pub(crate) async fn stored(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM grants WHERE id = ?");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id_bytes(id))
            .fetch_optional(&self.database.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(grant_rows::grant).transpose()
    }
}

#[async_trait]
impl Grants for SqliteGrants {
    async fn record(&self, grant: Arc<Grant>) -> Result<(), StoreError> {
        if self.waiting() >= MAX_PENDING {
            let text = "the registry of grants is not being written; see the log of the flush task";
            return Err(StoreError(text.to_owned()));
        }
        self.put(grant);
        Ok(())
    }

    async fn find(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        if let Some(grant) = self.pending().find(id) {
            return Ok(Some(Grant::clone(grant)));
        }
        self.stored(id).await
    }

    async fn list(&self, filter: &GrantFilter) -> Result<Vec<Grant>, StoreError> {
        let limit = filter.limit.clamp(1, MAX_PAGE);
        if filter.state.is_some() {
            // What waits may be in another state than its row.
            self.settle(&self.database.behind).await?.commit().await?;
        }
        // What waits is read first: a grant that moves into the file in between
        // is then seen twice, never missed.
        let mut seen = self.pending().list(filter);
        let pool = &self.database.pool;
        let found = match &filter.subject {
            Some(_) => runs::rows_of(pool, filter, limit).await?,
            None => select(filter, limit)
                .build()
                .fetch_all(pool)
                .await
                .map_err(store_error)?,
        };
        for row in &found {
            let stored = grant_rows::grant(row)?;
            match seen.get_mut(&stored.id) {
                Some(known) => Arc::make_mut(known).merge(&stored),
                None => drop(seen.insert(stored.id.clone(), Arc::new(stored))),
            }
        }
        let mut grants: Vec<Grant> = seen.into_values().map(Arc::unwrap_or_clone).collect();
        grants.sort_by(|a, b| order(b).cmp(&order(a)));
        grants.truncate(limit);
        Ok(grants)
    }

    async fn apply(&self, id: &GrantId, event: GrantEvent) -> Result<Option<Grant>, StoreError> {
        let changed = self.change(id, |grant| {
            let after = grant.state.after(event);
            let changes = after != grant.state;
            grant.state = after;
            changes
        });
        Ok(changed.await?.map(|(grant, _)| Grant::clone(&grant)))
    }

    async fn supersede(&self, id: &GrantId, successor: &GrantId) -> Result<bool, StoreError> {
        let changed = self.change(id, |grant| {
            let first = grant.superseded_by.is_none();
            grant.superseded_by.get_or_insert_with(|| successor.clone());
            first
        });
        Ok(changed.await?.is_some_and(|(_, changed)| changed))
    }

    async fn withdraw(&self, scope: &Scope, now: Timestamp) -> Result<Withdrawn, StoreError> {
        self.withdraw_all(scope, now).await
    }

    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.expire_due(now, limit).await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.forget(before, limit).await
    }
}
