//! What follows a failed attempt, and after which wait.

use std::time::Duration;

use crate::{failure::Failure, fault::Fault, judgement::Remedy, random::Random};

/// What is tried again.
#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// Retries in a hundred requests; 0: none.
    pub budget_percent: u32,
    /// The longest wait before a retry where the upstream names none.
    pub backoff: Duration,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            budget_percent: 10,
            backoff: Duration::from_millis(250),
        }
    }
}

/// A wait: what was asked for, and what chance may add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    least: Duration,
    jitter: Duration,
}

impl Wait {
    /// The wait as it is this time.
    pub(crate) fn with_jitter(self, random: &Random) -> Duration {
        self.least.saturating_add(random.up_to(self.jitter))
    }
}

/// What may follow a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Next {
    /// Another key is asked at once, where there is one.
    pub(crate) changes_key: bool,
    /// A retry goes to another target, where there is one.
    pub(crate) changes_host: bool,
    /// The wait before a retry; none where there must not be one.
    pub(crate) wait: Option<Wait>,
}

/// What may follow an attempt with this remedy and this `Retry-After`.
pub(crate) fn next(remedy: Remedy, asked: Option<Duration>, settings: &RetrySettings) -> Next {
    let full_jitter = Some(Wait {
        least: Duration::ZERO,
        jitter: settings.backoff,
    });
    let as_asked = asked.map(|least| Wait {
        least,
        jitter: settings.backoff,
    });
    let (changes_key, changes_host, wait) = match remedy {
        Remedy::None => (false, false, None),
        Remedy::AnyAgain => (false, true, full_jitter),
        Remedy::SameAgain => (false, false, as_asked.or(full_jitter)),
        Remedy::AfterWait => (false, false, as_asked),
        Remedy::OtherKeyOrWait => (true, false, as_asked),
        Remedy::OtherKey => (true, false, None),
    };
    Next {
        changes_key,
        changes_host,
        wait,
    }
}

/// A key without credit or permission is asked last for so long.
const KEY_REST: Duration = Duration::from_secs(30);
/// A key that was asked too often rests so long where OpenAI does not say.
const RATE_REST: Duration = Duration::from_secs(1);
/// The longest rest, whatever OpenAI says.
const MOST_REST: Duration = Duration::from_secs(60);

/// How long a target is asked last after this failure.
pub(crate) fn rest_of(failure: &Failure) -> Option<Duration> {
    match failure.fault() {
        Fault::Forbidden | Fault::QuotaExhausted => Some(KEY_REST),
        Fault::RateLimited => Some(failure.asked_wait().unwrap_or(RATE_REST).min(MOST_REST)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_never_shorter_than_asked() {
        let settings = RetrySettings::default();
        let asked = Duration::from_secs(2);
        for remedy in [Remedy::AfterWait, Remedy::OtherKeyOrWait, Remedy::SameAgain] {
            let wait = next(remedy, Some(asked), &settings).wait.unwrap();
            assert_eq!(wait.with_jitter(&Random::new(|| 0)), asked);
            assert!(wait.with_jitter(&Random::new(|| u64::MAX)) <= asked + settings.backoff);
        }
        assert_eq!(next(Remedy::AfterWait, None, &settings).wait, None);
        assert_eq!(next(Remedy::None, Some(asked), &settings).wait, None);
    }

    #[test]
    fn a_retry_without_a_wait_asked_for_has_full_jitter() {
        let wait = next(Remedy::SameAgain, None, &RetrySettings::default())
            .wait
            .unwrap();
        assert_eq!(wait.with_jitter(&Random::new(|| 0)), Duration::ZERO);
    }
}
