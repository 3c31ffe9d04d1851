//! Looks after old segments, and watches the clock.

use std::{sync::Arc, time::Duration};

use hallpass_audit::{Archive, ClockWatch, Keeper};
use hallpass_config::section;
use hallpass_core::{
    alert::RuleKind,
    audit::{Action, AuditEvent, Outcome},
    ports::AuditLog,
};
use hallpass_telemetry::Metrics;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Beside;
use crate::{
    cli::Stop,
    wiring::{
        alerts::board::{Board, cause},
        clock::now,
        lifecycle::Tasks,
    },
};

/// How often the segments are looked after, at least.
const ROUND: Duration = Duration::from_secs(60);
/// How often it is looked whether one was sealed; it is looked after at once.
const LOOK: Duration = Duration::from_secs(2);
/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

/// What the variables of the vendors begin with. No other is looked at: a
/// `TOKEN` or a `TIMEOUT` in the environment is meant for somebody else.
const VENDORS: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// The archive of a configuration; a store's credentials are in the environment.
pub(crate) fn archive(audit: &section::Audit) -> Result<Option<Archive>, Stop> {
    let ours = |(name, _): &(String, String)| VENDORS.iter().any(|it| name.starts_with(it));
    let open = |address: &String| Archive::open(address, std::env::vars().filter(ours));
    Ok(audit.archive.as_ref().map(open).transpose()?)
}

pub(super) fn start(beside: &Beside<'_>, tasks: &Tasks) -> Result<(), Stop> {
    let audit = beside.audit();
    let keeper = Keeper {
        dir: audit.dir.clone(),
        archive: archive(audit)?,
        hot_days: audit.hot_days,
        retention_days: audit.retention_days,
        written: Some(beside.progress.clone()),
    };
    let (log, metrics) = (beside.log.clone(), beside.metrics.clone());
    let board = beside.board.clone();
    tasks.spawn("trail-keeper", |stop| {
        keep(keeper, log, metrics, board, stop)
    });
    Ok(())
}

async fn keep(
    keeper: Keeper,
    log: Arc<dyn AuditLog>,
    metrics: Arc<Metrics>,
    board: Arc<Board>,
    stop: CancellationToken,
) {
    let part = || cause("part", "keeping");
    loop {
        let sealed = keeper.sealed().ok();
        let kept = tokio::select! {
            () = stop.cancelled() => return,
            kept = keeper.keep(now(), &*log) => kept,
        };
        match kept {
            Ok(kept) => {
                metrics.audit.kept(now().as_second());
                board.clear(RuleKind::AuditFailing, part());
                if kept.archived + kept.removed_here + kept.removed_archived > 0 {
                    tracing::info!(?kept, "audit trail: segments were archived or removed");
                }
            }
            Err(error) => {
                board.set(RuleKind::AuditFailing, part(), error.to_string());
                tracing::error!(%error, "audit trail: old segments could not be kept; nothing is removed, and it is tried again in a minute");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = next_round(&keeper, sealed) => {}
        }
    }
}

/// Ends with the round's time, or when there are other segments than before.
async fn next_round(keeper: &Keeper, before: Option<usize>) {
    let due = Instant::now() + ROUND;
    while Instant::now() < due {
        tokio::time::sleep(LOOK).await;
        if keeper.sealed().ok() != before {
            return;
        }
    }
}

/// Records every jump of the wall clock.
pub(super) async fn watch_clock(log: Arc<dyn AuditLog>, stop: CancellationToken) {
    let (start, mut watch) = (Instant::now(), ClockWatch::default());
    loop {
        if let Some(jump) = watch.look(now(), start.elapsed()) {
            tracing::warn!(
                milliseconds = i64::try_from(jump.milliseconds).unwrap_or(i64::MAX),
                "the clock jumped: check the time service of this host"
            );
            let mut event = AuditEvent::outcome(jump.after, Action::ClockJump, Outcome::Success);
            event.facts = vec![
                ("milliseconds", jump.milliseconds.to_string()),
                ("before", jump.before.to_string()),
                ("after", jump.after.to_string()),
            ];
            // A trail that can't be written says so itself.
            let _ = log.append(event).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}
