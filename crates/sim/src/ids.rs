//! Identifiers: unique within a simulator, repeatable with a seed.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

/// Source of identifiers and of fault draws; lock-free.
///
/// A simulator hands out nothing worth guessing, so a mixed counter does:
/// the mixing is a bijection, hence no identifier comes twice.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u64,
    next: AtomicU64,
}

impl Ids {
    /// Starts a sequence; without a seed, a random one.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        let next = AtomicU64::new(0);
        Self { seed, next }
    }

    /// The next 128 bits.
    pub(crate) fn next(&self) -> u128 {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let high = mix(self.seed.wrapping_add(n.wrapping_mul(GOLDEN)));
        let low = mix(!self.seed ^ n);
        u128::from(high) << 64 | u128::from(low)
    }

    /// `<prefix><32 hexadecimal digits>`, as `ek_…`, `req_…`, `rtc_u1_…`.
    pub(crate) fn hex(&self, prefix: &str) -> String {
        format!("{prefix}{:032x}", self.next())
    }

    /// `<prefix><21 letters and digits>`, as `sess_…`, `event_…`, `item_…`.
    pub(crate) fn short(&self, prefix: &str) -> String {
        let mut bits = self.next();
        let mut text = String::with_capacity(prefix.len() + SHORT_LENGTH);
        text.push_str(prefix);
        for _ in 0..SHORT_LENGTH {
            text.push(char::from(ALPHABET[(bits % 62) as usize]));
            bits /= 62;
        }
        text
    }

    /// A number in `0.0..1.0`, for the probability of a fault.
    pub(crate) fn draw(&self) -> f64 {
        let bits = (self.next() >> 75) as u64;
        bits as f64 / (1_u64 << 53) as f64
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const SHORT_LENGTH: usize = 21;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The finaliser of splitmix64.
fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn never_repeats() {
        let ids = Ids::new(Some(7));
        let seen: HashSet<_> = (0..10_000).map(|_| ids.short("x_")).collect();
        assert_eq!(seen.len(), 10_000);
    }

    #[test]
    fn a_seed_makes_it_repeatable() {
        let (one, two) = (Ids::new(Some(7)), Ids::new(Some(7)));
        assert_eq!(one.hex("ek_"), two.hex("ek_"));
        assert_ne!(one.hex("ek_"), Ids::new(Some(8)).hex("ek_"));
    }

    #[test]
    fn draws_fill_the_unit_interval() {
        let ids = Ids::new(Some(1));
        let draws: Vec<_> = (0..1000).map(|_| ids.draw()).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "mean {mean}");
    }
}
