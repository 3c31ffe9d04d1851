//! The front guard, and the task that sums up what it refused.

use std::sync::Arc;

use hallpass_config::section;
use hallpass_core::pipeline::Broker;
use hallpass_http::front_guard::{FrontGuard, FrontLimits, SUMMARY_EVERY};

use super::lifecycle::Tasks;

/// Requests a minute from one address where the operator does not say.
const PER_ADDRESS: u32 = 600;

/// The guard of a configuration.
///
/// Where no limit is set, this machine's own addresses are spared: what comes
/// from them is a proxy or a backend that speaks for many. A limit that is set
/// holds for all.
pub(crate) fn watch(
    limits: &section::Limits,
    broker: Arc<Broker>,
    tasks: &Tasks,
) -> Arc<FrontGuard> {
    let guard = Arc::new(FrontGuard::new(FrontLimits {
        per_address_per_minute: limits.per_address_per_minute.unwrap_or(PER_ADDRESS),
        spare_loopback: limits.per_address_per_minute.is_none(),
        bad_keys_per_minute: limits.bad_keys_per_minute,
    }));
    let watched = guard.clone();
    tasks.spawn("front-guard", |stop| async move {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(SUMMARY_EVERY) => {}
            }
            watched.record_refused(&broker).await;
        }
    });
    guard
}
