//! Finds records for the API.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use hallpass_audit::{Query, ReadError, StoredRecord};
use hallpass_core::ports::StoreError;
use hallpass_http::{AuditQuery, FoundRecord, TrailSearch};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

/// Searches at once; each reads files in a thread of its own.
const AT_ONCE: usize = 2;

/// The trail of a directory, as the API searches it.
pub(crate) struct Reading {
    dir: PathBuf,
    turns: Arc<Semaphore>,
}

impl Reading {
    /// Reads the trail of a directory.
    pub(crate) fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

#[async_trait]
impl TrailSearch for Reading {
    async fn find(&self, wanted: AuditQuery) -> Result<Vec<FoundRecord>, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError(error.to_string());
        let turn = self.turns.clone().acquire_owned().await;
        let turn = turn.map_err(|error| failed(&error))?;
        let dir = self.dir.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let found = read(&dir, wanted);
            drop(turn);
            found
        });
        let found = reading.await.map_err(|error| failed(&error))?;
        found.map_err(|error| failed(&error))
    }
}

fn read(dir: &Path, wanted: AuditQuery) -> Result<Vec<FoundRecord>, ReadError> {
    let query = Query {
        subject: wanted.subject,
        grant: wanted.grant,
        session: wanted.session_id,
        action: wanted.action,
        outcome: wanted.outcome.and_then(|outcome| outcome.parse().ok()),
        address: wanted.address,
        since: wanted.since,
        until: wanted.until,
        from_sequence: wanted.cursor.unwrap_or(0),
        limit: wanted.limit,
        ..Query::default()
    };
    let found = hallpass_audit::search(dir, query)?;
    found
        .filter_map(|record| record.map(found_record).transpose())
        .collect()
}

fn found_record(record: StoredRecord) -> Option<FoundRecord> {
    Some(FoundRecord {
        sequence: record.sequence,
        record: RawValue::from_string(record.line).ok()?,
    })
}
