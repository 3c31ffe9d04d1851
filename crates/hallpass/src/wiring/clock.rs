//! The process's clock and randomness: the only place they enter.

use std::{sync::Arc, time::SystemTime};

use aws_lc_rs::rand;
use hallpass_core::{
    Timestamp,
    ports::{Clock, Ids},
};

/// The wall clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// What the wall clock says.
#[allow(clippy::disallowed_methods, reason = "the clock itself")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// The wall clock as the simulator takes it.
#[allow(clippy::disallowed_methods, reason = "the clock itself")]
pub(crate) fn system_time() -> Arc<dyn Fn() -> SystemTime + Send + Sync> {
    Arc::new(SystemTime::now)
}

/// A clock that stands, for `auth check --at`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FixedClock(pub(crate) Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// Randomness of the operating system, by way of AWS-LC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemIds;

impl Ids for SystemIds {
    #[allow(
        clippy::panic,
        reason = "an id that can be guessed is worse than a process that ends"
    )]
    fn fill(&self, buffer: &mut [u8]) {
        if rand::fill(buffer).is_err() {
            panic!("the operating system gives no randomness");
        }
    }
}
