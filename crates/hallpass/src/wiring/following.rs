//! Following what other replicas do: revocations that end sessions here, calls
//! whose replica died.

use std::{sync::Arc, time::Duration};

use hallpass_core::{live::LiveSessions, ports::RevocationFeed};
use hallpass_relay::call::CallDesk;
use hallpass_telemetry::Metrics;

use super::{life, lifecycle::Tasks};

/// How often it is looked what changed elsewhere, hint or no hint.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whose calls nobody cares for.
const ADOPT_EVERY: Duration = Duration::from_secs(1);

const SYNC: &str = "revocation-sync";
const ADOPTION: &str = "call-adoption";

/// Starts bringing memory up to date with the store, and ending the live
/// sessions that what came from there reaches.
pub(crate) fn revocations(
    feed: &Arc<dyn RevocationFeed>,
    live: &Arc<LiveSessions>,
    metrics: &Arc<Metrics>,
    tasks: &Tasks,
) {
    let (feed, live, told) = (feed.clone(), live.clone(), metrics.clone());
    tasks.spawn(SYNC, |stop| {
        life::every(SYNC_EVERY, SYNC, told, stop, move || {
            let (feed, live) = (feed.clone(), live.clone());
            async move {
                for revocation in feed.sync().await?.added {
                    live.revoke(&revocation.scope);
                }
                Ok(())
            }
        })
    });
}

/// Starts ending the calls of replicas that died.
pub(crate) fn calls(desk: &Arc<CallDesk>, metrics: &Arc<Metrics>, tasks: &Tasks) {
    let (desk, told) = (desk.clone(), metrics.clone());
    tasks.spawn(ADOPTION, |stop| {
        life::every(ADOPT_EVERY, ADOPTION, told, stop, move || {
            let desk = desk.clone();
            async move {
                let orphans = desk.reap().await?;
                if orphans > 0 {
                    tracing::warn!(orphans, "hanging up calls of a replica that died");
                }
                Ok(())
            }
        })
    });
}
