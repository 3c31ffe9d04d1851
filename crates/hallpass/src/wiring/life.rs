//! The background work on grants and revocations: expiry and retention.

use std::{sync::Arc, time::Duration};

use hallpass_config::Config;
use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome},
    ports::{AuditLog, Grants, Revocations, StoreError},
};
use hallpass_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

use super::{clock::now, durable::Durable, follow::FollowedTrail, lifecycle::Tasks};

/// Grants moved on in one transaction.
const EXPIRY_BATCH: usize = 2_000;
/// How often old grants are looked for.
const RETENTION_EVERY: Duration = Duration::from_secs(60);
/// Grants forgotten in one transaction; others write between two.
const RETENTION_BATCH: usize = 1_000;

const EXPIRY: &str = "grant-expiry";
const RETENTION: &str = "grant-retention";
const REVOCATIONS: &str = "revocation-retention";

const DAY: Duration = Duration::from_secs(86_400);

/// Starts the tasks; they end with the server's.
pub(crate) fn start(
    config: &Config,
    durable: &Durable,
    trail: &Arc<FollowedTrail>,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
) {
    let grants = &durable.grants;
    let (ours, log, told) = (grants.clone(), trail.clone(), metrics.clone());
    let period = durable.expiry_every;
    tasks.spawn(EXPIRY, |stop| {
        every(period, EXPIRY, told, stop, move || {
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
    forget_revocations(config, &durable.revocations, metrics, tasks);
}

/// Does something again and again until told to stop; a failure is logged and
/// tried again the next time.
pub(crate) async fn every<F: Future<Output = Result<(), StoreError>>>(
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

/// Notes when a task last did its work.
pub(crate) fn succeeded(metrics: &Metrics, task: &'static str) {
    metrics
        .tasks
        .succeeded(task, now().as_duration().as_secs_f64());
}

/// Moves on what is due, and records how many that were.
async fn expire(grants: Arc<dyn Grants>, trail: Arc<FollowedTrail>) -> Result<(), StoreError> {
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
fn forget_revocations(
    config: &Config,
    revocations: &Arc<dyn Revocations>,
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

async fn forget(grants: Arc<dyn Grants>, kept: Duration) -> Result<(), StoreError> {
    let before = now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
    while grants.prune(before, RETENTION_BATCH).await? == RETENTION_BATCH {
        tokio::task::yield_now().await;
    }
    Ok(())
}
