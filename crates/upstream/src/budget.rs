//! How many retries a flow of requests may have.

use std::sync::{Mutex, PoisonError};

/// A tenth of a retry is saved up by each request, in parts of a hundred.
const ONE_RETRY: u32 = 100;
/// Retries that can be saved up, so that a calm day pays for no storm.
const MOST: u32 = 10 * ONE_RETRY;

/// A token bucket that requests fill and retries empty.
///
/// It begins empty: from the first request on there are never more retries than
/// the given share of requests, whatever fails.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    percent: u32,
    saved: Mutex<u32>,
}

impl RetryBudget {
    /// A bucket that allows `percent` retries in a hundred requests.
    pub(crate) const fn new(percent: u32) -> Self {
        Self {
            percent,
            saved: Mutex::new(0),
        }
    }

    /// A request begins.
    pub(crate) fn deposit(&self) {
        self.change(|saved| *saved = saved.saturating_add(self.percent).min(MOST));
    }

    /// Takes one retry out, where there is one.
    pub(crate) fn withdraw(&self) -> bool {
        self.change(|saved| match saved.checked_sub(ONE_RETRY) {
            Some(rest) => {
                *saved = rest;
                true
            }
            None => false,
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut u32) -> T) -> T {
        change(&mut self.saved.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_never_more_than_their_share() {
        let budget = RetryBudget::new(10);
        let mut retries = 0;
        for request in 1..=1000_u32 {
            budget.deposit();
            retries += u32::from(budget.withdraw());
            assert!(retries * 10 <= request);
        }
        assert_eq!(retries, 100);
    }

    #[test]
    fn a_calm_day_saves_up_ten_and_no_more() {
        let budget = RetryBudget::new(10);
        (0..100_000).for_each(|_| budget.deposit());
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 10);
    }

    #[test]
    fn no_share_is_no_retry() {
        let budget = RetryBudget::new(0);
        budget.deposit();
        assert!(!budget.withdraw());
    }
}
