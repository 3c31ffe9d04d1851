//! Counts of a sliding window, forgotten in twelfths.

use std::{collections::HashMap, time::Duration};

use crate::Timestamp;

const SLICES: i64 = 12;

/// Most causes counted at once; further ones are not seen until others are
/// forgotten.
const MOST_CAUSES: usize = 50_000;

/// How long a window is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    slice_ms: i64,
}

impl Span {
    pub(super) fn new(window: Duration) -> Self {
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        Self {
            slice_ms: (window / SLICES).max(1),
        }
    }

    fn number(self, at: Timestamp) -> i64 {
        at.as_millisecond().div_euclid(self.slice_ms)
    }
}

/// Two counts of one window: all, and those that are bad.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    /// The newest slice that holds something.
    newest: i64,
    all: [u32; SLICES as usize],
    bad: [u32; SLICES as usize],
}

impl Window {
    pub(super) fn note(&mut self, span: Span, at: Timestamp, is_bad: bool) {
        let number = span.number(at);
        if number <= self.newest - SLICES {
            return;
        }
        self.forget_until(number);
        let slice = slot(number);
        self.all[slice] = self.all[slice].saturating_add(1);
        self.bad[slice] = self.bad[slice].saturating_add(u32::from(is_bad));
    }

    /// All, and bad ones, of the window that ends now.
    pub(super) fn sums(&mut self, span: Span, now: Timestamp) -> (u32, u32) {
        self.forget_until(span.number(now));
        let sum = |counts: &[u32]| counts.iter().fold(0_u32, |sum, n| sum.saturating_add(*n));
        (sum(&self.all), sum(&self.bad))
    }

    fn forget_until(&mut self, number: i64) {
        if number <= self.newest {
            return;
        }
        let from = (self.newest + 1).max(number - SLICES + 1);
        for old in from..=number {
            self.all[slot(old)] = 0;
            self.bad[slot(old)] = 0;
        }
        self.newest = number;
    }
}

fn slot(number: i64) -> usize {
    usize::try_from(number.rem_euclid(SLICES)).unwrap_or(0)
}

/// A window for each cause.
#[derive(Debug)]
pub(super) struct Windows {
    span: Span,
    by_cause: HashMap<String, Window>,
}

impl Windows {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            span: Span::new(window),
            by_cause: HashMap::new(),
        }
    }

    pub(super) fn note(&mut self, cause: &str, at: Timestamp) {
        if let Some(window) = self.by_cause.get_mut(cause) {
            return window.note(self.span, at, false);
        }
        if self.by_cause.len() < MOST_CAUSES {
            let mut window = Window::default();
            window.note(self.span, at, false);
            self.by_cause.insert(cause.to_owned(), window);
        }
    }

    /// What those causes count whose count matters: few of the thousands there
    /// may be. Those that count nothing are forgotten.
    pub(super) fn sums(
        &mut self,
        now: Timestamp,
        matters: impl Fn(u32) -> bool,
    ) -> Vec<(String, u32)> {
        let span = self.span;
        let mut sums = Vec::new();
        self.by_cause.retain(|cause, window| {
            let (all, _) = window.sums(span, now);
            if all > 0 && matters(all) {
                sums.push((cause.clone(), all));
            }
            all > 0
        });
        sums
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(120);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let (span, mut window) = (Span::new(WINDOW), Window::default());
        window.note(span, at(0), true);
        window.note(span, at(60), false);
        assert_eq!(window.sums(span, at(60)), (2, 1));
        assert_eq!(window.sums(span, at(130)), (1, 0));
        assert_eq!(window.sums(span, at(10_000)), (0, 0));
        window.note(span, at(0), true);
        assert_eq!(window.sums(span, at(10_000)), (0, 0), "it comes too late");
    }

    #[test]
    fn causes_that_count_nothing_are_forgotten() {
        let mut windows = Windows::new(WINDOW);
        windows.note("a", at(0));
        windows.note("b", at(100));
        assert_eq!(windows.sums(at(150), |_| true), [("b".to_owned(), 1)]);
        assert_eq!(windows.by_cause.len(), 1);
        assert_eq!(windows.sums(at(150), |count| count > 1), []);
        assert_eq!(windows.by_cause.len(), 1);
    }

    proptest! {
        /// Never more than happened in the window, never less than in eleven
        /// twelfths of it.
        #[test]
        fn a_window_is_true_to_a_twelfth(mut times in prop::collection::vec(0_i64..600, 1..200)) {
            times.sort_unstable();
            let (span, mut window) = (Span::new(WINDOW), Window::default());
            for (seen, time) in times.iter().enumerate() {
                window.note(span, at(*time), false);
                let (all, _) = window.sums(span, at(*time));
                let within = |seconds: i64| {
                    let recent = times[..=seen].iter().filter(|old| *old + seconds > *time);
                    u32::try_from(recent.count()).unwrap()
                };
                prop_assert!(all <= within(120) && all >= within(110), "{all}");
            }
        }
    }
}
