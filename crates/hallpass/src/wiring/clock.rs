//! The process's clock and randomness: the only place they enter.

use std::{cell::RefCell, sync::Arc, time::SystemTime};

use aws_lc_rs::rand;
use hallpass_core::{
    Timestamp,
    ports::{Clock, Ids},
};
use zeroize::Zeroize;

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

/// Random bytes drawn at once, so that an id does not cost a draw of its own.
const POOL: usize = 1024;

/// Randomness of the operating system, by way of AWS-LC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemIds;

impl Ids for SystemIds {
    fn fill(&self, buffer: &mut [u8]) {
        thread_local! {
            static UNUSED: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; POOL], left: 0 }) };
        }
        UNUSED.with_borrow_mut(|pool| pool.take(buffer));
    }
}

/// Random bytes of one thread; each is given out once and wiped.
struct Pool {
    bytes: [u8; POOL],
    left: usize,
}

impl Pool {
    fn take(&mut self, buffer: &mut [u8]) {
        if buffer.len() > POOL {
            return draw(buffer);
        }
        if self.left < buffer.len() {
            draw(&mut self.bytes);
            self.left = POOL;
        }
        let rest = self.left - buffer.len();
        let given = &mut self.bytes[rest..self.left];
        buffer.copy_from_slice(given);
        given.zeroize();
        self.left = rest;
    }
}

#[allow(
    clippy::panic,
    reason = "an id that can be guessed is worse than a process that ends"
)]
fn draw(buffer: &mut [u8]) {
    if rand::fill(buffer).is_err() {
        panic!("the operating system gives no randomness");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_random_bytes_are_given_twice() {
        let ids: HashSet<_> = (0..10_000).map(|_| SystemIds.grant_id(now())).collect();
        assert_eq!(ids.len(), 10_000);
        let mut large = [0; 3 * POOL];
        SystemIds.fill(&mut large);
        assert_ne!(large[..POOL], large[POOL..2 * POOL]);
    }
}
