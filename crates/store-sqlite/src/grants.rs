//! The registry of grants: written behind, read as one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hallpass_core::{
    grant::Grant,
    ids::GrantId,
    ports::{GrantFilter, Grants, StoreError},
};
use sqlx::{QueryBuilder, Sqlite};
use tokio::sync::Notify;

use crate::{
    database::{Database, store_error},
    rows::{self, GRANT_COLUMNS},
};

/// How many grants may wait to be written before new ones are refused.
const MAX_PENDING: usize = 200_000;

/// Most grants one list gives.
pub(crate) const MAX_PAGE: usize = 500;

/// Grants not yet in the file; reads look here first.
#[derive(Default)]
pub(crate) struct Pending {
    /// Waiting for the next transaction.
    pub(crate) waiting: Vec<Grant>,
    /// In the transaction under way.
    pub(crate) writing: Arc<Vec<Grant>>,
}

/// The grants of one installation.
pub struct SqliteGrants {
    pub(crate) database: Database,
    pub(crate) pending: Mutex<Pending>,
    pub(crate) wake: Notify,
}

impl SqliteGrants {
    /// The registry in a database; a [`crate::Flusher`] must run beside it.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self {
            database,
            pending: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// How many grants wait to be written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending().waiting.len()
    }

    pub(crate) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_pending(&self, id: &GrantId) -> Option<Grant> {
        let pending = self.pending();
        pending
            .waiting
            .iter()
            .chain(pending.writing.iter())
            .find(|grant| grant.id == *id)
            .cloned()
    }

    fn list_pending(&self, filter: &GrantFilter) -> Vec<Grant> {
        let pending = self.pending();
        let all = pending.waiting.iter().chain(pending.writing.iter());
        all.filter(|grant| matches(filter, grant))
            .cloned()
            .collect()
    }
}

#[async_trait]
impl Grants for SqliteGrants {
    async fn record(&self, grant: &Grant) -> Result<(), StoreError> {
        let mut pending = self.pending();
        if pending.waiting.len() >= MAX_PENDING {
            let text = "the registry of grants is not being written; see the log of the flush task";
            return Err(StoreError(text.to_owned()));
        }
        let first = pending.waiting.is_empty();
        pending.waiting.push(grant.clone());
        drop(pending);
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    async fn find(&self, id: &GrantId) -> Result<Option<Grant>, StoreError> {
        if let Some(grant) = self.find_pending(id) {
            return Ok(Some(grant));
        }
        let sql = format!("SELECT {GRANT_COLUMNS} FROM grants WHERE id = ?");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id.as_str())
            .fetch_optional(&self.database.pool)
            .await
            .map_err(store_error)?;
        row.as_ref().map(rows::grant).transpose()
    }

    async fn list(&self, filter: &GrantFilter) -> Result<Vec<Grant>, StoreError> {
        let limit = filter.limit.clamp(1, MAX_PAGE);
        // What waits is read first: a grant that moves into the file in between
        // is then seen twice, never missed.
        let pending = self.list_pending(filter);
        let found = select(filter, limit)
            .build()
            .fetch_all(&self.database.pool)
            .await;
        let stored = found.map_err(store_error)?;
        let mut by_id: HashMap<GrantId, Grant> = pending
            .into_iter()
            .map(|grant| (grant.id.clone(), grant))
            .collect();
        for row in &stored {
            let grant = rows::grant(row)?;
            by_id.insert(grant.id.clone(), grant);
        }
        let mut grants: Vec<Grant> = by_id.into_values().collect();
        grants.sort_by(|a, b| order(b).cmp(&order(a)));
        grants.truncate(limit);
        Ok(grants)
    }
}

/// The order of lists: by time, to the stored millisecond, then by id.
fn order(grant: &Grant) -> (i64, &GrantId) {
    (grant.created_at.as_millisecond(), &grant.id)
}

fn matches(filter: &GrantFilter, grant: &Grant) -> bool {
    let before = filter
        .before
        .as_ref()
        .is_none_or(|(time, id)| order(grant) < (time.as_millisecond(), id));
    before
        && filter
            .subject
            .as_ref()
            .is_none_or(|subject| grant.subject == *subject)
        && filter
            .session_id
            .as_ref()
            .is_none_or(|id| grant.session_id.as_ref() == Some(id))
        && filter
            .profile
            .as_ref()
            .is_none_or(|profile| grant.profile == *profile)
        && filter
            .lineage
            .as_ref()
            .is_none_or(|lineage| grant.lineage == *lineage)
}

fn select(filter: &GrantFilter, limit: usize) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(format!("SELECT {GRANT_COLUMNS} FROM grants WHERE 1"));
    if let Some(subject) = &filter.subject {
        query
            .push(" AND subject = ")
            .push_bind(subject.as_str().to_owned());
    }
    if let Some(session_id) = &filter.session_id {
        query
            .push(" AND session_id = ")
            .push_bind(session_id.as_str().to_owned());
    }
    if let Some(profile) = &filter.profile {
        query
            .push(" AND profile = ")
            .push_bind(profile.as_str().to_owned());
    }
    if let Some(lineage) = &filter.lineage {
        query
            .push(" AND lineage = ")
            .push_bind(lineage.as_str().to_owned());
    }
    if let Some((time, id)) = &filter.before {
        query
            .push(" AND (created_at, id) < (")
            .push_bind(time.as_millisecond());
        query.push(", ").push_bind(id.as_str().to_owned()).push(")");
    }
    query.push(" ORDER BY created_at DESC, id DESC LIMIT ");
    query.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    query
}
