//! What sessions through Hallpass need: passes, leases, usage.

use std::time::Duration;

use hallpass_config::Config;
use hallpass_core::{
    hash::{InstallKey, Purpose},
    pass::Passes,
    pipeline::SessionParts,
    usage::{UsageLedger, day_of},
};

use super::{clock::now, durable::Durable, lifecycle::Tasks, shared::Shared};

/// How often what is over is forgotten.
const SWEEP: Duration = Duration::from_secs(600);
/// Passes over for longer than this are forgotten, so that a late second use is
/// still told from a forgery.
const PASSES_KEPT: Duration = Duration::from_secs(24 * 3600);

/// The parts, and the tasks that keep them.
pub(crate) fn parts(
    config: &Config,
    durable: &Durable,
    install_key: &InstallKey,
    shared: &Shared,
    tasks: &Tasks,
) -> SessionParts {
    let passes = shared.passes.as_ref().unwrap_or(&durable.passes).clone();
    let usage = durable.usage.clone();
    let (swept, ledger) = (passes.clone(), usage.clone());
    let days = config.grants.retention_days;
    tasks.spawn("session-sweep", move |stop| async move {
        let mut ticks = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => sweep(&*swept, &*ledger, days).await,
            }
        }
    });
    SessionParts {
        live: shared.live.clone(),
        peers: shared.peers.clone(),
        passes,
        leases: shared.sessions.clone(),
        usage,
        pass_hasher: install_key.hasher(Purpose::Pass),
        base_url: base_url(config),
    }
}

async fn sweep(passes: &dyn Passes, usage: &dyn UsageLedger, days: u32) {
    let before = now().saturating_sub(PASSES_KEPT);
    if let Ok(before) = before
        && let Err(error) = passes.forget(before).await
    {
        tracing::error!(%error, "old passes can't be forgotten; trying again");
    }
    let kept = Duration::from_secs(u64::from(days) * 24 * 3600);
    if let Ok(before) = now().saturating_sub(kept)
        && let Err(error) = usage.forget(day_of(before)).await
    {
        tracing::error!(%error, "old usage can't be forgotten; trying again");
    }
}

/// Where browsers reach this server.
fn base_url(config: &Config) -> String {
    match &config.server.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", config.server.listen),
    }
}
