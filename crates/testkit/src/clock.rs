//! A clock that moves when it is told to.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hallpass_core::{Timestamp, ports::Clock};

/// A wall clock that stands still between two calls of [`TestClock::advance`].
#[derive(Debug)]
pub struct TestClock(Mutex<Timestamp>);

impl TestClock {
    /// A clock that shows this many seconds after 1970.
    ///
    /// # Panics
    ///
    /// When there is no such time.
    #[must_use]
    pub fn at(seconds: i64) -> Self {
        Self(Mutex::new(moment(seconds)))
    }

    /// Moves the clock forward.
    ///
    /// # Panics
    ///
    /// When time ends before.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.checked_add(by).expect("a time that exists");
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time this many seconds after 1970.
///
/// # Panics
///
/// When there is no such time.
#[must_use]
pub fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time that exists")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_only_when_told() {
        let clock = TestClock::at(1_800_000_000);
        assert_eq!(clock.now(), clock.now());
        clock.advance(Duration::from_millis(1500));
        assert_eq!(clock.now().as_millisecond(), 1_800_000_001_500);
    }
}
