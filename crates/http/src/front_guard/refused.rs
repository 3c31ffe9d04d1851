//! How often each address was refused since the last summary.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::AddressBlock;

/// Most addresses counted one by one; the others are counted together.
const MAX_ADDRESSES: usize = 4096;

#[derive(Default)]
pub(super) struct RefusedAddresses(Mutex<HashMap<Option<AddressBlock>, u64>>);

impl RefusedAddresses {
    /// Counts a refusal; whether it is its address's first, to be recorded now.
    pub(super) fn count(&self, address: Option<AddressBlock>) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count += 1;
            return false;
        }
        if counts.len() >= MAX_ADDRESSES {
            *counts.entry(None).or_default() += 1;
            return false;
        }
        counts.insert(address, 0);
        true
    }

    /// The refusals that have no record yet, by address; none for the others.
    pub(super) fn drain(&self) -> Vec<(Option<AddressBlock>, u64)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let drained = std::mem::take(&mut *counts);
        drained
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(number: u32) -> Option<AddressBlock> {
        Some(AddressBlock::of(
            std::net::Ipv4Addr::from_bits(number).into(),
        ))
    }

    #[test]
    fn the_first_is_recorded_and_the_others_are_counted() {
        let refused = RefusedAddresses::default();
        let firsts = (0..100).filter(|_| refused.count(block(1))).count();
        assert!(refused.count(block(2)));
        assert_eq!(firsts, 1);
        assert_eq!(refused.drain(), [(block(1), 99)]);
        assert!(refused.count(block(1)), "a new minute begins");
    }

    #[test]
    fn a_flood_of_addresses_is_one_count() {
        let refused = RefusedAddresses::default();
        let firsts = (0..100_000).filter(|n| refused.count(block(*n))).count();
        assert_eq!(firsts, MAX_ADDRESSES);
        assert_eq!(refused.drain(), [(None, 100_000 - MAX_ADDRESSES as u64)]);
    }
}
