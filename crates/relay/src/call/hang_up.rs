//! Hanging up until it is sure.

use std::time::Duration;

use hallpass_core::{
    Timestamp,
    call::{CallMaker, CallPlace},
    ports::Clock,
};
use tokio::time::sleep;

/// The wait after the first attempt that failed.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// The longest wait between attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How a call came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HungUp {
    /// Attempts it took.
    pub(super) attempts: u32,
    /// Whether OpenAI answered that it is over. Else its own longest life is.
    pub(super) confirmed: bool,
}

/// Hangs up; tries again until OpenAI confirms, or until no call made before
/// `over_at` can be live any more.
pub(super) async fn until_sure(
    maker: &dyn CallMaker,
    clock: &dyn Clock,
    place: &CallPlace,
    over_at: Timestamp,
) -> HungUp {
    let mut wait = FIRST_WAIT;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match maker.hang_up(place).await {
            Ok(()) => {
                return HungUp {
                    attempts,
                    confirmed: true,
                };
            }
            Err(error) => error,
        };
        tracing::warn!(call = %place.call_id, upstream = %place.upstream, attempts, %error,
            "a call could not be hung up; trying again");
        if clock.now() >= over_at {
            return HungUp {
                attempts,
                confirmed: false,
            };
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
