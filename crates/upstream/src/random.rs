//! Chance, given in from outside.

use std::{sync::Arc, time::Duration};

/// A source of chance, so that tests can hold it still.
#[derive(Clone)]
pub struct Random(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Random {
    /// A source that gives evenly distributed numbers.
    pub fn new(draw: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(draw))
    }

    /// Sixty-four bits.
    pub(crate) fn bits(&self) -> u64 {
        (self.0)()
    }

    /// A number from 0 up to, and without, `limit`; 0 where that is 0.
    pub(crate) fn below(&self, limit: u64) -> u64 {
        let wide = u128::from((self.0)()) * u128::from(limit);
        (wide >> 64) as u64
    }

    /// A time from nothing up to `most`: full jitter.
    pub(crate) fn up_to(&self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros.saturating_add(1)))
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_stays_within_its_bounds() {
        let most = Duration::from_millis(250);
        assert_eq!(Random::new(|| 0).up_to(most), Duration::ZERO);
        assert_eq!(Random::new(|| u64::MAX).up_to(most), most);
        assert_eq!(Random::new(|| u64::MAX / 2).below(10), 4);
        assert_eq!(Random::new(|| u64::MAX).below(0), 0);
    }
}
