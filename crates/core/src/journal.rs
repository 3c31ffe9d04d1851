//! What a mint did at OpenAI before its last attempt, told as it happens.
//!
//! The pipeline and the minter share one journal for each mint. A mint whose
//! caller hangs up is dropped at any point, and the trail still learns what
//! had been tried until then.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{audit::UpstreamFacts, code::Code};

/// An attempt that failed and was followed by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Why it failed.
    pub code: Code,
    /// What the operator needs to know.
    pub reason: Option<String>,
    /// What it left behind.
    pub upstream: UpstreamFacts,
    /// How long it took.
    pub duration: Duration,
}

/// The attempts of one mint; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    sent: AtomicBool,
    failed: Mutex<Vec<FailedAttempt>>,
}

impl Journal {
    /// Notes that the request under way may have reached OpenAI.
    pub fn note_sent(&self) {
        self.0.sent.store(true, Ordering::Release);
    }

    /// Whether the request under way may have reached OpenAI.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.0.sent.load(Ordering::Acquire)
    }

    /// Notes an attempt that failed, before the next one begins.
    pub fn note_failed(&self, attempt: FailedAttempt) {
        self.0.sent.store(false, Ordering::Release);
        self.failed().push(attempt);
    }

    /// Takes the attempts noted so far, oldest first.
    #[must_use]
    pub fn take_failed(&self) -> Vec<FailedAttempt> {
        std::mem::take(&mut *self.failed())
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Vec<FailedAttempt>> {
        self.0.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_failed_says_nothing_of_the_next() {
        let journal = Journal::default();
        journal.note_sent();
        assert!(journal.was_sent());
        journal.note_failed(FailedAttempt {
            code: Code::UpstreamUnavailable,
            reason: None,
            upstream: UpstreamFacts::default(),
            duration: Duration::ZERO,
        });
        assert!(!journal.was_sent());
        assert_eq!(journal.take_failed().len(), 1);
        assert!(journal.take_failed().is_empty());
    }
}
