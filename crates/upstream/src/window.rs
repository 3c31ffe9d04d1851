//! Calls and failures of the last moments, counted in slices of time.

use std::time::Duration;

use tokio::time::Instant;

const SLICES: u32 = 10;

#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    number: u64,
    calls: u32,
    failures: u32,
}

/// Counts of a sliding window; a tenth of it leaves at a time.
#[derive(Debug)]
pub(crate) struct Window {
    start: Instant,
    slice: Duration,
    slices: [Slice; SLICES as usize],
}

impl Window {
    /// An empty window of this length that begins now.
    pub(crate) fn new(length: Duration, now: Instant) -> Self {
        Self {
            start: now,
            slice: (length / SLICES).max(Duration::from_millis(1)),
            slices: [Slice::default(); SLICES as usize],
        }
    }

    /// Counts a call that ended now.
    pub(crate) fn count(&mut self, now: Instant, failed: bool) {
        let number = self.number(now);
        let slice = &mut self.slices[(number % u64::from(SLICES)) as usize];
        if slice.number != number {
            *slice = Slice {
                number,
                ..Slice::default()
            };
        }
        slice.calls = slice.calls.saturating_add(1);
        slice.failures = slice.failures.saturating_add(u32::from(failed));
    }

    /// Calls and failures that are still within the window.
    pub(crate) fn sums(&self, now: Instant) -> (u32, u32) {
        let newest = self.number(now);
        let counted = self
            .slices
            .iter()
            .filter(|slice| slice.number + u64::from(SLICES) > newest);
        counted.fold((0, 0), |(calls, failures), slice| {
            (
                calls.saturating_add(slice.calls),
                failures.saturating_add(slice.failures),
            )
        })
    }

    fn number(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start).as_nanos();
        u64::try_from(since / self.slice.as_nanos().max(1)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let start = Instant::now();
        let mut window = Window::new(Duration::from_secs(10), start);
        let at = |seconds| start + Duration::from_secs(seconds);
        window.count(at(0), true);
        window.count(at(5), false);
        assert_eq!(window.sums(at(9)), (2, 1));
        assert_eq!(window.sums(at(10)), (1, 0));
        assert_eq!(window.sums(at(15)), (0, 0));
        window.count(at(100), true);
        assert_eq!(window.sums(at(100)), (1, 1));
    }
}
