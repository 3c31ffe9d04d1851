//! The front guard, and the task that sums up what it refused.

use std::sync::Arc;

use hallpass_config::{Config, section};
use hallpass_core::pipeline::Broker;
use hallpass_http::front_guard::{FrontGuard, FrontLimits, SUMMARY_EVERY};

use super::lifecycle::Tasks;

/// Requests a minute from one address where the operator does not say.
const PER_ADDRESS: u32 = 600;
/// Wrong tokens and sessions a minute from one address, likewise.
const BAD_CREDENTIALS: u32 = 60;

/// The guard of a configuration.
///
/// Where no limit is set, this machine's own addresses are spared: what comes
/// from them is a proxy or a backend that speaks for many. A limit that is set
/// holds for all.
pub(crate) fn watch(config: &Config, broker: Arc<Broker>, tasks: &Tasks) -> Arc<FrontGuard> {
    let cookies = config.auth.session_cookie.iter();
    let cookies = cookies.map(|cookie| cookie.cookie_name().to_owned());
    let guard = FrontGuard::new(front_limits(&config.limits, config.store.replicas));
    let guard = Arc::new(guard.with_session_cookies(cookies.collect()));
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

/// Requests are each machine's own; guesses are all replicas'. These are
/// counted by each alone, by its share of the limit: so no store has to be asked
/// for them, and none that is away lets anyone guess more.
fn front_limits(limits: &section::Limits, replicas: u32) -> FrontLimits {
    let share = |count: u32| (count / replicas.max(1)).max(1);
    let (requests, failures) = (
        limits.per_address_per_minute,
        limits.bad_credentials_per_minute,
    );
    FrontLimits {
        per_address_per_minute: requests.unwrap_or(PER_ADDRESS),
        spare_loopback: requests.is_none(),
        bad_keys_per_minute: share(limits.bad_keys_per_minute),
        bad_credentials_per_minute: share(failures.unwrap_or(BAD_CREDENTIALS)),
        spare_loopback_credentials: failures.is_none(),
    }
}
