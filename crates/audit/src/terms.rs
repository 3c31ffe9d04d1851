//! What records can be found by, and the filter that remembers it.

use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
    net::IpAddr,
    num::NonZeroU64,
};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::search::Query;

/// Bytes of one block of the filter: a cache line, one read.
pub(crate) const BLOCK: usize = 64;
/// Bits of the filter a term is given.
const BITS_PER_TERM: usize = 12;
/// Bits a term sets within its block.
const PROBES: u32 = 8;

/// Something a record can be found by, as the filter knows it: its XXH3. Whoever
/// makes two that collide makes a search read a segment in vain, no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Term(NonZeroU64);

/// What a term is about; a text is another term for each.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum About {
    Subject = b's',
    Grant = b'g',
    Session = b'i',
    Action = b'n',
    Outcome = b'o',
    Address = b'a',
}

impl Term {
    pub(crate) fn of(about: About, text: &str) -> Self {
        Self::of_bytes(about, text.as_bytes())
    }

    /// An address is one term however it is written.
    pub(crate) fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_bytes(About::Address, &address.octets()),
            IpAddr::V6(address) => Self::of_bytes(About::Address, &address.octets()),
        }
    }

    fn of_bytes(about: About, bytes: &[u8]) -> Self {
        let hash = xxh3_64_with_seed(bytes, about as u64);
        Self(NonZeroU64::new(hash).unwrap_or(NonZeroU64::MAX))
    }

    /// Which block of so many it belongs to.
    pub(crate) fn block(self, blocks: u64) -> u64 {
        // The upper half chooses the block, the lower half the bits.
        (self.0.get() >> 32) % blocks
    }

    fn bits(self) -> impl Iterator<Item = usize> {
        // Two halves of the lower word, combined: Kirsch and Mitzenmacher's way.
        let lower = self.0.get() as u32;
        let (start, step) = (lower & 0xffff, (lower >> 16) | 1);
        (0..PROBES).map(move |n| (start.wrapping_add(n.wrapping_mul(step)) % 512) as usize)
    }
}

/// A set of terms, which are hashes already.
pub(crate) type Terms = HashSet<Term, BuildHasherDefault<AsItIs>>;

/// Takes a number for its hash.
#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The terms a query needs; a segment without one of them holds nothing for it.
pub(crate) fn of_query(query: &Query) -> Vec<Term> {
    let texts = [
        (About::Subject, query.subject.as_deref()),
        (About::Grant, query.grant.as_deref()),
        (About::Session, query.session.as_deref()),
        (About::Action, query.action.as_deref()),
    ];
    let given = texts.into_iter();
    let given = given.filter_map(|(about, text)| Some(Term::of(about, text?)));
    let outcome = query.outcome.map(|outcome| outcome.to_string());
    let outcome = outcome.map(|outcome| Term::of(About::Outcome, &outcome));
    let address = query.address.map(Term::of_address);
    given.chain(outcome).chain(address).collect()
}

/// Whether a block may hold a term.
pub(crate) fn may_hold(block: &[u8; BLOCK], term: Term) -> bool {
    term.bits().all(|bit| block[bit / 8] & 1 << (bit % 8) != 0)
}

/// The filter of a segment's terms.
pub(crate) fn filter(terms: &Terms) -> Vec<[u8; BLOCK]> {
    let count = (terms.len() * BITS_PER_TERM).div_ceil(BLOCK * 8).max(1);
    let mut blocks = vec![[0; BLOCK]; count];
    for &term in terms {
        let at = usize::try_from(term.block(count as u64)).unwrap_or(0);
        term.bits()
            .for_each(|bit| blocks[at][bit / 8] |= 1 << (bit % 8));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_and_little_else() {
        let numbers = || (0..20_000).map(|n: u32| n.to_string());
        let terms: Terms = numbers().map(|n| Term::of(About::Grant, &n)).collect();
        let blocks = filter(&terms);
        let found = |term: Term| {
            let at = term.block(blocks.len() as u64) as usize;
            may_hold(&blocks[at], term)
        };
        assert!(terms.iter().all(|&term| found(term)));
        let others = numbers().map(|n| Term::of(About::Subject, &n));
        let wrong = others.filter(|&term| found(term)).count();
        assert!(wrong < 600, "{wrong} of 20,000");
    }
}
