//! How many records are worth waiting for before a sync.
//!
//! A sync costs a processor as much as some dozens of records, whatever it
//! carries. Callers who mint in a closed loop come back together, so waiting a
//! moment for those who came last time halves the syncs and costs nobody much;
//! where records come in a steady stream, a whole moment's worth shares a sync;
//! a lone caller must not wait for company that never comes.

use std::time::Duration;

/// Loads between two attempts to have more in one than came by themselves: as
/// long as they succeed, and at most.
///
/// An attempt that fails costs the records of one load the whole window, so
/// where nobody comes fewer than one in a hundred loads may be one.
const SOON: u32 = 8;
const SELDOM: u32 = 256;

/// How the wait for company ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// All who were expected are there.
    Complete,
    /// The window is over, and records were still coming.
    Coming,
    /// The window is over, and nobody came any more.
    Ceased,
}

/// Learns from each load how large the next may become.
#[derive(Debug)]
pub(crate) struct Gather {
    window: Duration,
    expected: usize,
    /// Whether more are expected than came by themselves.
    hopes: bool,
    /// Loads between two attempts, and those left until the next.
    interval: u32,
    patience: u32,
}

impl Gather {
    /// Never waits longer than this; a window of zero never waits.
    pub(crate) const fn within(window: Duration) -> Self {
        Self {
            window,
            expected: 1,
            hopes: false,
            interval: SOON,
            patience: SOON,
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

    /// Takes note of a load's size, and of how it came together.
    ///
    /// As long as those expected come in time, a quarter more is hoped for now
    /// and then. Once they don't, those who came are expected from then on,
    /// unless others were still on their way.
    pub(crate) fn learn(&mut self, came: usize, company: Company) {
        match company {
            Company::Coming => {}
            Company::Ceased => {
                if self.hopes {
                    self.interval = (self.interval * 2).min(SELDOM);
                }
                self.hopes = false;
                self.patience = self.interval;
                self.expected = came;
            }
            Company::Complete => {
                if self.hopes {
                    self.interval = SOON;
                }
                self.patience = self.patience.saturating_sub(1);
                self.hopes = self.patience == 0;
                self.expected = came;
                if self.hopes {
                    self.patience = self.interval;
                    self.expected += came.div_ceil(4);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(1);

    /// Lets `callers` come back as often, all of them early in the window; how
    /// many loads waited in vain.
    fn after(gather: &mut Gather, callers: usize, loads: u32) -> u32 {
        let mut missed = 0;
        for _ in 0..loads {
            let came = gather.expected().min(callers);
            let company = match came < gather.expected() {
                true => Company::Ceased,
                false => Company::Complete,
            };
            missed += u32::from(company == Company::Ceased);
            gather.learn(came, company);
        }
        missed
    }

    #[test]
    fn a_lone_caller_waits_for_nobody_but_now_and_then() {
        let mut gather = Gather::within(WINDOW);
        assert!(after(&mut gather, 1, 10_000) < 100);
    }

    #[test]
    fn a_crowd_is_found_soon_and_let_go_at_once() {
        let mut gather = Gather::within(WINDOW);
        after(&mut gather, 64, 200);
        assert_eq!(gather.expected(), 64);
        after(&mut gather, 3, 1);
        assert_eq!(gather.expected(), 3);
    }

    #[test]
    fn a_crowd_that_is_whole_is_rarely_waited_for_in_vain() {
        let mut gather = Gather::within(WINDOW);
        after(&mut gather, 64, 2000);
        assert!(after(&mut gather, 64, 10_000) < 100);
    }

    #[test]
    fn a_stream_fills_the_window() {
        let mut gather = Gather::within(WINDOW);
        for load in 0..1000_usize {
            // Between four and eight come in a window, and do not cease.
            let there = 4 + load % 5;
            let expected = gather.expected();
            match there < expected {
                true => gather.learn(there, Company::Coming),
                false => gather.learn(expected, Company::Complete),
            }
        }
        assert!(gather.expected() > 8, "{}", gather.expected());
    }

    #[test]
    fn more_than_expected_are_expected_at_once() {
        let mut gather = Gather::within(WINDOW);
        gather.learn(40, Company::Complete);
        assert_eq!(gather.expected(), 40);
    }

    #[test]
    fn without_a_window_nothing_is_waited_for() {
        let mut gather = Gather::within(Duration::ZERO);
        gather.learn(40, Company::Complete);
        assert_eq!(gather.expected(), 1);
    }
}
