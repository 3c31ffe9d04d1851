//! How many records are worth waiting for before a sync.
//!
//! A sync costs a processor as much as a dozen records, whatever it carries.
//! Callers who mint in a closed loop come back together, so waiting a moment
//! for those who came last time halves the syncs and costs nobody much; a lone
//! caller must not wait for company that never comes.

use std::time::Duration;

/// Loads between two attempts to have more in one than came by themselves.
///
/// An attempt that fails costs the records of one load the whole window, so
/// fewer than one in a hundred may fail.
const PATIENCE: u32 = 256;

/// Learns from each load how large the next may become.
#[derive(Debug)]
pub(crate) struct Gather {
    window: Duration,
    expected: usize,
    /// Loads to go before a larger one is hoped for again.
    patience: u32,
}

impl Gather {
    /// Never waits longer than this; a window of zero never waits.
    pub(crate) const fn within(window: Duration) -> Self {
        Self {
            window,
            expected: 1,
            patience: PATIENCE,
        }
    }

    /// As many records are waited for.
    pub(crate) const fn expected(&self) -> usize {
        if self.window.is_zero() {
            return 1;
        }
        self.expected
    }

    /// And no longer than this.
    pub(crate) const fn window(&self) -> Duration {
        self.window
    }

    /// Takes note of a load's size.
    ///
    /// As long as those expected come in time, a quarter more is hoped for;
    /// once they don't, those who came are expected for a while.
    pub(crate) fn learn(&mut self, came: usize) {
        if came < self.expected {
            self.expected = came;
            self.patience = PATIENCE;
            return;
        }
        self.patience = self.patience.saturating_sub(1);
        self.expected = match self.patience {
            0 => came + came.div_ceil(4),
            _ => came,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(1);

    /// Lets `callers` come back as often, all of them within the window.
    fn after(gather: &mut Gather, callers: usize, loads: u32) -> u32 {
        let mut missed = 0;
        for _ in 0..loads {
            let came = gather.expected().min(callers);
            missed += u32::from(came < gather.expected());
            gather.learn(came);
        }
        missed
    }

    #[test]
    fn a_lone_caller_waits_for_nobody_but_now_and_then() {
        let mut gather = Gather::within(WINDOW);
        assert!(after(&mut gather, 1, 10_000) < 100);
    }

    #[test]
    fn a_crowd_is_found_and_let_go() {
        let mut gather = Gather::within(WINDOW);
        after(&mut gather, 64, 600);
        assert_eq!(gather.expected(), 64);
        after(&mut gather, 3, 1);
        assert_eq!(gather.expected(), 3);
    }

    #[test]
    fn more_than_expected_are_expected_at_once() {
        let mut gather = Gather::within(WINDOW);
        gather.learn(40);
        assert_eq!(gather.expected(), 40);
    }

    #[test]
    fn without_a_window_nothing_is_waited_for() {
        let mut gather = Gather::within(Duration::ZERO);
        gather.learn(40);
        assert_eq!(gather.expected(), 1);
    }
}
