//! Which credentials were good from which address, lately.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How long a credential counts as its address's own after it was good.
const GOOD_FOR_MICROS: u64 = 3_600_000_000;
/// Most of them; a table that is full begins anew.
const MAX_GOOD: usize = 65_536;

/// Pairs of credential and address, as hashes nobody outside can choose.
#[derive(Default)]
pub(super) struct KnownGood(Mutex<HashMap<u64, u64>>);

impl KnownGood {
    /// Notes that a credential was good from an address.
    pub(super) fn note(&self, pair: u64, now: u64) {
        let mut good = self.table();
        if good.len() >= MAX_GOOD && !good.contains_key(&pair) {
            good.clear();
        }
        good.insert(pair, now.saturating_add(GOOD_FOR_MICROS));
    }

    /// Whether it was, within the last hour.
    pub(super) fn holds(&self, pair: u64, now: u64) -> bool {
        let until = self.table().get(&pair).copied();
        until.is_some_and(|until| until > now)
    }

    fn table(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_later_nobody_is_known() {
        let known = KnownGood::default();
        known.note(1, 0);
        assert!(known.holds(1, GOOD_FOR_MICROS - 1));
        assert!(!known.holds(1, GOOD_FOR_MICROS));
        assert!(!known.holds(2, 0));
    }

    #[test]
    fn memory_stays_bounded() {
        let known = KnownGood::default();
        for pair in 0..200_000 {
            known.note(pair, 0);
        }
        assert!(known.table().len() <= MAX_GOOD);
    }
}
