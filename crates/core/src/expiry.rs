//! How long a client secret lives, and when the page should ask for the next.

use std::time::Duration;

use crate::Timestamp;

/// OpenAI's shortest life of a client secret, in seconds.
pub const MIN_SECONDS: u32 = 10;
/// OpenAI's longest life of a client secret, in seconds.
pub const MAX_SECONDS: u32 = 7200;

/// The asked-for life is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    /// Outside what OpenAI accepts.
    #[error("{asked} is outside {MIN_SECONDS} to {MAX_SECONDS} seconds")]
    OutOfRange {
        /// What was asked for.
        asked: u64,
    },
    /// Longer than the operator allows.
    #[error("{asked} is longer than the {limit} seconds this profile allows")]
    AboveLimit {
        /// What was asked for.
        asked: u64,
        /// What is allowed.
        limit: u32,
    },
}

/// Chooses the life of a secret: what was asked for, within the limit.
///
/// # Errors
///
/// [`ExpiryError`] when the asked-for life is out of range or above the limit.
pub fn choose(asked: Option<u64>, default: u32, limit: u32) -> Result<u32, ExpiryError> {
    let limit = limit.clamp(MIN_SECONDS, MAX_SECONDS);
    let Some(asked) = asked else {
        return Ok(default.clamp(MIN_SECONDS, limit));
    };
    let seconds = u32::try_from(asked)
        .ok()
        .filter(|seconds| (MIN_SECONDS..=MAX_SECONDS).contains(seconds))
        .ok_or(ExpiryError::OutOfRange { asked })?;
    if seconds > limit {
        return Err(ExpiryError::AboveLimit { asked, limit });
    }
    Ok(seconds)
}

/// When the page should ask for the next secret: a fifth of the life before
/// its end, but 5 seconds at least and half the life at most.
///
/// A whole second, as answers tell it: who waits until exactly then is not
/// too early. For lives of OpenAI's, 10 seconds and more.
#[must_use]
pub fn refresh_after(created: Timestamp, expires: Timestamp) -> Timestamp {
    let life = expires.duration_since(created).unsigned_abs();
    let lead = (life / 5).max(Duration::from_secs(5)).min(life / 2);
    let refresh = expires.saturating_sub(lead).unwrap_or(expires);
    Timestamp::from_second(refresh.as_second()).unwrap_or(refresh)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_chosen_life_is_always_openais_and_the_operators(asked in any::<Option<u64>>(), default in any::<u32>(), limit in any::<u32>()) {
            if let Ok(seconds) = choose(asked, default, limit) {
                prop_assert!((MIN_SECONDS..=MAX_SECONDS).contains(&seconds));
                prop_assert!(seconds <= limit.clamp(MIN_SECONDS, MAX_SECONDS));
                if let Some(asked) = asked {
                    prop_assert_eq!(u64::from(seconds), asked);
                }
            }
        }

        #[test]
        fn the_refresh_lies_within_the_life(start in 0_i64..4_000_000_000_000, life in 10_000_i64..7_201_000) {
            let created = Timestamp::from_millisecond(start).unwrap();
            let expires = Timestamp::from_millisecond(start + life).unwrap();
            let refresh = refresh_after(created, expires);
            prop_assert!(created <= refresh && refresh < expires);
            prop_assert_eq!(refresh.subsec_nanosecond(), 0, "as it is told");
        }
    }

    #[test]
    fn the_bounds_are_inclusive() {
        assert_eq!(choose(Some(10), 60, 7200), Ok(10));
        assert_eq!(choose(Some(7200), 60, 7200), Ok(7200));
        assert_eq!(
            choose(Some(9), 60, 7200),
            Err(ExpiryError::OutOfRange { asked: 9 })
        );
        assert_eq!(
            choose(Some(61), 60, 60),
            Err(ExpiryError::AboveLimit {
                asked: 61,
                limit: 60
            })
        );
    }
}
