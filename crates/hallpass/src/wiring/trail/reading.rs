//! Finds records for the API.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use hallpass_audit::{Query, ReadError, StoredRecord};
use hallpass_core::ports::StoreError;
use hallpass_http::{AuditQuery, FoundRecord, TrailSearch};
use hallpass_store_postgres::{PgTrail, TrailQuery, TrailRecord};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::wiring::durable::Fleet;

/// Searches at once; each reads files in a thread of its own.
const AT_ONCE: usize = 2;

/// What the API searches: the trails of all replicas where they are copied to
/// one place, else this one's own.
pub(crate) fn searched(dir: &Path, fleet: Option<&Fleet>) -> Arc<dyn TrailSearch> {
    match fleet {
        Some(fleet) => Arc::new(SharedReading(fleet.trail.clone())),
        None => Arc::new(Reading::of(dir)),
    }
}

/// The trails of all replicas, as the API searches them.
struct SharedReading(Arc<PgTrail>);

#[async_trait]
impl TrailSearch for SharedReading {
    async fn find(&self, wanted: AuditQuery) -> Result<Vec<FoundRecord>, StoreError> {
        let query = TrailQuery {
            replica: None,
            subject: wanted.subject,
            grant: wanted.grant,
            session_id: wanted.session_id,
            action: wanted.action,
            outcome: wanted.outcome,
            address: wanted.address.map(|address| address.to_string()),
            since: wanted.since,
            until: wanted.until,
            from: wanted.cursor.unwrap_or(0),
            limit: wanted.limit.unwrap_or(usize::MAX),
        };
        let found = self.0.find(&query).await?;
        let shown = |(sequence, record): (u64, TrailRecord)| {
            let record = RawValue::from_string(with_replica(&record)).ok()?;
            Some(FoundRecord { sequence, record })
        };
        Ok(found.into_iter().filter_map(shown).collect())
    }
}

/// A record's line, and beside its members the replica whose it is.
pub(crate) fn with_replica(record: &TrailRecord) -> String {
    let members = record.line.strip_suffix('}').unwrap_or(&record.line);
    // A replica's name has nothing that JSON escapes.
    format!("{members},\"replica\":\"{}\"}}", record.replica)
}

/// The trail of a directory, as the API searches it.
struct Reading {
    dir: PathBuf,
    turns: Arc<Semaphore>,
}

impl Reading {
    /// Reads the trail of a directory.
    fn of(dir: &Path) -> Self {
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
