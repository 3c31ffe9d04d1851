//! The copy of the trail that replicas share, where each can be searched.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hallpass_audit::{Receiver, StoredRecord};
use hallpass_core::Timestamp;
use hallpass_store_postgres::{PgTrail, TrailRecord};

use super::{Beside, sending::send};
use crate::{
    cli::Stop,
    wiring::{clock::now, life, lifecycle::Tasks},
};

/// The receiver's name in files and metrics.
const NAME: &str = "postgres";
/// How often days are looked for that are kept no longer.
const RETENTION_EVERY: Duration = Duration::from_secs(600);
const RETENTION: &str = "trail-copy-retention";

/// Starts copying, where there is somewhere to copy to.
pub(super) fn start(beside: &Beside<'_>, tasks: &Tasks) -> Result<(), Stop> {
    let Some(fleet) = &beside.fleet else {
        return Ok(());
    };
    // What is at home there need not be copied.
    if !beside.is_in_database() {
        let copy = Copy {
            replica: fleet.replica.clone(),
            trail: fleet.trail.clone(),
        };
        send(beside, (NAME.to_owned(), Box::new(copy)), tasks)?;
    }

    let (trail, metrics) = (fleet.trail.clone(), beside.metrics.clone());
    let days = beside.config.store.postgres.trail_days;
    let kept = Duration::from_secs(86_400) * days;
    tasks.spawn(RETENTION, |stop| {
        life::every(RETENTION_EVERY, RETENTION, metrics, stop, move || {
            let trail = trail.clone();
            let before = now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
            async move { trail.forget(before).await.map(drop) }
        })
    });
    Ok(())
}

/// Takes this replica's records.
struct Copy {
    replica: Arc<str>,
    trail: Arc<PgTrail>,
}

#[async_trait]
impl Receiver for Copy {
    async fn take(&self, lines: &[String]) -> Result<(), String> {
        let records: Result<Vec<TrailRecord>, String> = lines
            .iter()
            .map(|line| StoredRecord::read(line.as_bytes()))
            .map(|read| read.map(|record| copied(&self.replica, record)))
            .collect();
        let taken = self.trail.take(&records?).await;
        taken.map_err(|error| error.to_string())
    }
}

/// A record as the database has it.
pub(super) fn copied(replica: &str, record: StoredRecord) -> TrailRecord {
    let named = record.facts.get("grant").cloned();
    let lineage = record.grant.as_ref().map(|grant| grant.lineage.to_string());
    let announced = record.draft.as_ref().map(|draft| draft.lineage.clone());
    TrailRecord {
        replica: replica.to_owned(),
        sequence: record.sequence,
        time: record.time,
        outcome: record.outcome.to_string(),
        grant: record.grant_id().map(str::to_owned).or(named),
        lineage: lineage.or(announced),
        subject: record.subject,
        session_id: record.session_id,
        address: record.address.map(|address| address.to_string()),
        action: record.action,
        line: record.line,
    }
}
