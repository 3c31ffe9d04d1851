//! The trail as the registry of grants follows it.

use std::path::Path;

use hallpass_audit::{Trail, TrailReader};
use hallpass_core::{
    audit::{AuditEvent, Phase},
    grant::Grant,
    ports::{AuditLog, AuditReceipt, AuditUnavailable, OwnedFuture},
};
use hallpass_store_sqlite::{Progress, SqliteGrants};
use hallpass_telemetry::traces::{is_recording, step};

use crate::cli::Stop;

/// Grants restored in one transaction.
const BATCH: usize = 1000;

/// A trail whose records are steps of the requests that wait for them.
pub(crate) struct FollowedTrail {
    trail: Trail,
    progress: hallpass_audit::Progress,
}

impl FollowedTrail {
    pub(crate) fn new(trail: Trail) -> Self {
        let progress = trail.progress();
        Self { trail, progress }
    }

    /// Writes what waits and closes the trail.
    pub(crate) fn close(&self) {
        self.trail.close();
    }
}

impl AuditLog for FollowedTrail {
    fn append(&self, event: AuditEvent) -> OwnedFuture<Result<AuditReceipt, AuditUnavailable>> {
        let name = match event.phase {
            Phase::Intent => "audit intent",
            Phase::Attempt => "audit attempt",
            Phase::Outcome => "audit outcome",
        };
        let durable = self.trail.append(event);
        if is_recording() {
            return Box::pin(step(name, durable));
        }
        durable
    }

    fn writable(&self) -> bool {
        self.trail.writable()
    }
}

impl Progress for FollowedTrail {
    fn next_sequence(&self) -> u64 {
        self.progress.durable()
    }
}

/// Brings back what a crash took from the registry; `ends` is the number of the
/// trail's next record.
pub(crate) async fn restore(grants: &SqliteGrants, dir: &Path, ends: u64) -> Result<usize, Stop> {
    let mut from = grants.followed().await?;
    if ends < from {
        tracing::error!(
            records = ends,
            known = from,
            directory = %dir.display(),
            "the audit trail ends before what the registry knows of it: it was deleted, rolled back, or another folder is mounted. Put its segments back, or keep this folder as evidence and compare it with a checkpoint kept elsewhere: `hallpass audit verify DIR --checkpoint FILE`"
        );
        grants.follow_anew().await?;
        from = 0;
    }
    let mut restored = 0;
    let mut batch: Vec<Grant> = Vec::new();
    let mut next = from;
    for record in TrailReader::open(dir)?.from_sequence(from) {
        let record = record?;
        next = record.sequence + 1;
        batch.extend(record.grant);
        if batch.len() >= BATCH {
            grants.restore(&batch, next).await?;
            restored += batch.len();
            batch.clear();
        }
    }
    grants.restore(&batch, next).await?;
    Ok(restored + batch.len())
}
