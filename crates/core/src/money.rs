//! Money as whole nano-dollars: sums are exact, and nothing is rounded twice.

use std::{fmt, ops::AddAssign};

use serde::{Deserialize, Serialize};

/// Nano-dollars in a dollar.
const PER_DOLLAR: u64 = 1_000_000_000;

/// An amount of United States dollars, in billionths of one.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NanoUsd(pub u64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount of a number of dollars, rounded to a billionth; none where it
    /// is negative, not finite, or more than there is room for.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the bounds are checked first, and operators write few digits"
    )]
    pub fn from_dollars(dollars: f64) -> Option<Self> {
        let nano = dollars * PER_DOLLAR as f64;
        let fits = nano.is_finite() && nano >= 0.0 && nano < u64::MAX as f64;
        fits.then(|| Self(nano.round() as u64))
    }

    /// The sum; the largest amount there is where it would be more.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = self.plus(other);
    }
}

impl fmt::Display for NanoUsd {
    /// Dollars with nine places: `0.000004000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / PER_DOLLAR, self.0 % PER_DOLLAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_and_shown_exactly() {
        assert_eq!(NanoUsd::from_dollars(5.0), Some(NanoUsd(5_000_000_000)));
        assert_eq!(
            NanoUsd::from_dollars(0.000_004).unwrap().to_string(),
            "0.000004000"
        );
        for no in [-1.0, f64::NAN, f64::INFINITY, 1e30] {
            assert_eq!(NanoUsd::from_dollars(no), None);
        }
    }

    #[test]
    fn a_sum_never_wraps() {
        assert_eq!(NanoUsd(u64::MAX).plus(NanoUsd(1)), NanoUsd(u64::MAX));
    }
}
