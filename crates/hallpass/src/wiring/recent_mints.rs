//! How mints ended lately, by cause, for the metrics of it. When their failures
//! are an alert is for the rule `mint_failures` to say.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use hallpass_core::code::Code;
use hallpass_telemetry::Metrics;
use tokio_util::sync::CancellationToken;

/// How often the window is shown while nothing fails.
const SHOW_EVERY: Duration = Duration::from_secs(5);
/// How far it reaches back: as far as the rule does that ships.
const WINDOW: Duration = Duration::from_secs(300);
/// The window is forgotten in tenths.
const SLICES: u64 = 10;

/// Counts how mints end.
pub(crate) struct RecentMints {
    started: Instant,
    window: Mutex<Window>,
    metrics: Arc<Metrics>,
}

impl RecentMints {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            started: Instant::now(),
            window: Mutex::default(),
            metrics,
        }
    }

    /// Counts a mint that ended; `failure` is its code where it failed.
    pub(crate) fn note(&self, failure: Option<Code>) {
        let now = self.started.elapsed();
        self.held(|window| window.note(now, failure.map(Code::as_str)));
        if failure.is_some() {
            self.show();
        }
    }

    /// Shows the window until told to stop.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SHOW_EVERY) => self.show(),
            }
        }
    }

    fn show(&self) {
        let now = self.started.elapsed();
        let (mints, failures) = self.held(|window| window.sum(now));
        self.metrics.upstream.failures_recently(mints, &failures);
    }

    fn held<T>(&self, use_it: impl FnOnce(&mut Window) -> T) -> T {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(&mut window)
    }
}

/// How mints of a sliding window ended. Time is passed in, as time since any
/// origin.
#[derive(Debug, Default)]
struct Window([Slice; SLICES as usize]);

#[derive(Debug, Default)]
struct Slice {
    number: u64,
    mints: u32,
    failures: Failures,
}

/// Failures by code.
type Failures = BTreeMap<&'static str, u32>;

impl Window {
    fn note(&mut self, now: Duration, failure: Option<&'static str>) {
        let number = number(now);
        let slice = &mut self.0[(number % SLICES) as usize];
        if slice.number != number {
            *slice = Slice {
                number,
                ..Slice::default()
            };
        }
        slice.mints += 1;
        if let Some(code) = failure {
            *slice.failures.entry(code).or_default() += 1;
        }
    }

    /// All mints of the window, and those that failed.
    fn sum(&self, now: Duration) -> (u32, Failures) {
        let newest = number(now);
        let (mut mints, mut failures) = (0, Failures::new());
        for slice in &self.0 {
            if slice.number + SLICES <= newest {
                continue;
            }
            mints += slice.mints;
            for (code, count) in &slice.failures {
                *failures.entry(*code).or_default() += count;
            }
        }
        (mints, failures)
    }
}

fn number(now: Duration) -> u64 {
    let slice = WINDOW.as_millis() / u128::from(SLICES);
    // From one on, so that empty slices are old.
    u64::try_from(now.as_millis() / slice).unwrap_or(u64::MAX - SLICES) + SLICES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let at = Duration::from_secs;
        let mut window = Window::default();
        (0..7).for_each(|_| window.note(at(0), None));
        (0..3).for_each(|_| window.note(at(60), Some("upstream_timeout")));
        let failures = Failures::from([("upstream_timeout", 3)]);
        assert_eq!(window.sum(at(61)), (10, failures.clone()));
        assert_eq!(window.sum(at(330)), (3, failures));
        window.note(at(360), None);
        assert_eq!(window.sum(at(360)), (1, Failures::new()));
        assert_eq!(window.sum(at(1000)), (0, Failures::new()));
    }
}
