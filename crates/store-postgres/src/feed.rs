//! Following what other replicas change: keys and revocations.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use hallpass_core::ports::{RevocationFeed, StoreError, Synced};

use crate::{
    database::Database, keys::PgKeys, revocations::PgRevocations, rows::get, statement::Statement,
};

/// Begins a statement that changes a key or a revocation: takes the next
/// revision. The row's lock is held until the change is committed, so changes
/// are seen in the order of their revisions and none is passed over.
pub(crate) const NEXT_REVISION: &str = "WITH turn AS \
     (UPDATE revisions SET value = value + 1 WHERE name = 'access' RETURNING value)";

/// Where the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revision {
    pub(crate) value: i64,
    /// Who is behind this one may miss that a row was removed.
    pub(crate) purged: i64,
}

impl Database {
    pub(crate) async fn revision(&self) -> Result<Revision, StoreError> {
        let asked = Statement::new("SELECT value, purged FROM revisions WHERE name = 'access'");
        let row = self.row(asked).await?;
        let row =
            row.ok_or_else(|| StoreError("PostgreSQL: the table revisions is empty".to_owned()))?;
        Ok(Revision {
            value: get(&row, "value")?,
            purged: get(&row, "purged")?,
        })
    }
}

/// Keeps the keys and revocations in memory in step with the database.
///
/// A look that finds nothing new costs one round trip.
pub struct PgFeed {
    database: Database,
    keys: Arc<PgKeys>,
    revocations: Arc<PgRevocations>,
    /// No change up to this one is missing.
    synced: AtomicI64,
    /// One look at a time.
    turn: tokio::sync::Mutex<()>,
}

impl PgFeed {
    /// Follows from where the revocations were read.
    #[must_use]
    pub fn new(database: Database, keys: Arc<PgKeys>, revocations: Arc<PgRevocations>) -> Self {
        // Keys are asked for since the beginning once more: they may have been
        // read before the revocations were.
        Self {
            database,
            keys,
            revocations,
            synced: AtomicI64::new(0),
            turn: tokio::sync::Mutex::default(),
        }
    }
}

#[async_trait]
impl RevocationFeed for PgFeed {
    fn revision(&self) -> u64 {
        let synced = self.synced.load(Ordering::SeqCst);
        let newest = synced.max(self.revocations.newest());
        u64::try_from(newest).unwrap_or(0)
    }

    async fn sync(&self) -> Result<Synced, StoreError> {
        let _turn = self.turn.lock().await;
        let there = self.database.revision().await?;
        let here = self.synced.load(Ordering::SeqCst);
        let mut synced = Synced {
            revision: u64::try_from(there.value).unwrap_or(0),
            ..Synced::default()
        };
        if there.value == here {
            return Ok(synced);
        }
        // Rows were removed meanwhile, or an older state of the database was
        // brought back: what memory has is held against all there is.
        let anew = there.purged > here || there.value < here;
        let since = if anew { 0 } else { here };
        self.keys.follow(since).await?;
        let changed = self.revocations.follow(since, anew).await?;
        (synced.added, synced.ended) = changed;
        self.synced.store(there.value, Ordering::SeqCst);
        Ok(synced)
    }
}
