//! What happened, in order, by simulated time.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
    time::Duration,
};

/// Lines that everyone adds to.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    /// Adds a line under the simulation's time.
    pub(crate) fn note(&self, line: impl std::fmt::Display) {
        self.note_at(now(), line);
    }

    /// Adds a line from outside of the simulation.
    pub(crate) fn note_at(&self, at: Duration, line: impl std::fmt::Display) {
        let (seconds, micros) = (at.as_secs(), at.subsec_micros());
        let line = format!("{seconds:>4}.{micros:06} {line}");
        self.0.lock().unwrap().push(line);
    }

    /// All lines, and their hash.
    pub(crate) fn end(&self) -> (Vec<String>, u64) {
        let lines = self.0.lock().unwrap().clone();
        let mut hasher = DefaultHasher::new();
        lines.hash(&mut hasher);
        (lines, hasher.finish())
    }
}

/// How long the simulation has run, by no host's clock.
pub(crate) fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}
