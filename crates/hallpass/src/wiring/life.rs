//! The background work on grants: writing behind, expiry, retention.

use std::{sync::Arc, time::Duration};

use hallpass_config::Config;
use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome},
    ports::{AuditLog, Grants, Revocations, StoreError},
};
use hallpass_store_sqlite::{Flusher, SqliteGrants, SqliteRevocations};
use hallpass_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use super::{clock::now, follow::FollowedTrail, lifecycle::Tasks};

/// How often it is looked whether a grant is due; a look costs a comparison.
const EXPIRY_EVERY: Duration = Duration::from_millis(250);
/// Grants moved on in one transaction.
const EXPIRY_BATCH: usize = 2_000;
/// How often old grants are looked for.
const RETENTION_EVERY: Duration = Duration::from_secs(60);
/// Grants forgotten in one transaction; others write between two.
const RETENTION_BATCH: usize = 1_000;

const FLUSHER: &str = "grant-flusher";
const EXPIRY: &str = "grant-expiry";
const RETENTION: &str = "grant-retention";
const REVOCATIONS: &str = "revocation-retention";

const DAY: Duration = Duration::from_secs(86_400);

/// Starts the tasks; they end with the server's.
pub(crate) fn start(
    config: &Config,
    grants: &Arc<SqliteGrants>,
    trail: &Arc<FollowedTrail>,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
) {
    let flusher = Flusher::new(grants.clone(), trail.clone());
    let told = metrics.clone();
    tasks.spawn(FLUSHER, |stop| {
        flusher.run(async move { stop.cancelled().await }, move || {
            succeeded(&told, FLUSHER);
        })
    });

    let (ours, log, told) = (grants.clone(), trail.clone(), metrics.clone());
    tasks.spawn(EXPIRY, |stop| {
        every(EXPIRY_EVERY, EXPIRY, told, stop, move || {
            expire(ours.clone(), log.clone())
        })
    });

    let (ours, told) = (grants.clone(), metrics.clone());
    let kept = DAY * config.grants.retention_days;
    tasks.spawn(RETENTION, |stop| {
        every(RETENTION_EVERY, RETENTION, told, stop, move || {
            forget(ours.clone(), kept)
        })
    });
}

/// Does something again and again until told to stop; a failure is logged and
/// tried again the next time.
async fn every<F: Future<Output = Result<(), StoreError>>>(
    period: Duration,
    task: &'static str,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    mut work: impl FnMut() -> F,
) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match work().await {
            Ok(()) => succeeded(&metrics, task),
            Err(error) => tracing::error!(task, %error, "a background task failed; trying again"),
        }
    }
}

fn succeeded(metrics: &Metrics, task: &'static str) {
    metrics
        .tasks
        .succeeded(task, now().as_duration().as_secs_f64());
}

/// Moves on what is due, and records how many that were.
async fn expire(grants: Arc<SqliteGrants>, trail: Arc<FollowedTrail>) -> Result<(), StoreError> {
    loop {
        let at = now();
        let moved = grants.expire(at, EXPIRY_BATCH).await?;
        if moved > 0 {
            let mut event = AuditEvent::outcome(at, Action::GrantExpire, Outcome::Success);
            event.facts = vec![("count", moved.to_string())];
            // Each grant's own record says when it ends; this says it was seen.
            drop(trail.append(event));
        }
        if moved < EXPIRY_BATCH {
            return Ok(());
        }
    }
}

/// Starts forgetting revocations that can't matter any more.
pub(crate) fn forget_revocations(
    config: &Config,
    revocations: &Arc<SqliteRevocations>,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
) {
    // No lineage lives longer than a day, so each ends before what stops it.
    let kept = DAY * (config.grants.retention_days + 1);
    let (ours, told) = (revocations.clone(), metrics.clone());
    tasks.spawn(REVOCATIONS, |stop| {
        every(RETENTION_EVERY, REVOCATIONS, told, stop, move || {
            let ours = ours.clone();
            let before = now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
            async move { ours.prune(before).await.map(drop) }
        })
    });
}

async fn forget(grants: Arc<SqliteGrants>, kept: Duration) -> Result<(), StoreError> {
    let before = now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
    while grants.prune(before, RETENTION_BATCH).await? == RETENTION_BATCH {
        tokio::task::yield_now().await;
    }
    Ok(())
}
