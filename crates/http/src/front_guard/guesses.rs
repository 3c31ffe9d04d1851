//! Slows the guessing of API keys, by address and by key id.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::Duration,
};

use hallpass_core::{caller::Presented, ids::CredentialId, key::ApiKey, quota::Rate};

use super::{AddressBlock, bounded::Bounded, known::KnownGood};

/// One try: whose key, from where.
pub(super) struct Guess {
    address: AddressBlock,
    key: u64,
    pair: u64,
}

/// Counts wrong keys.
///
/// A key's id is no secret, so a limit by id alone would let anyone lock a
/// service out. An address from which the key was good within the last hour is
/// therefore held by its own count for this key alone.
pub(super) struct Guesses {
    hasher: RandomState,
    by_address: Bounded<AddressBlock>,
    by_key: Bounded<u64>,
    by_pair: Bounded<u64>,
    good: KnownGood,
}

impl Guesses {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            hasher: RandomState::new(),
            by_address: Bounded::new(rate),
            by_key: Bounded::new(rate),
            by_pair: Bounded::new(rate),
            good: KnownGood::default(),
        }
    }

    pub(super) fn guess(&self, key: &CredentialId, address: IpAddr) -> Guess {
        let address = AddressBlock::of(address);
        Guess {
            address,
            key: self.hasher.hash_one(key),
            pair: self.hasher.hash_one((key, address)),
        }
    }

    /// Lets a key be verified, or says how long to wait.
    pub(super) fn admit(&self, guess: &Guess, now: u64) -> Result<(), Duration> {
        if self.good.holds(guess.pair, now) {
            return self.by_pair.look(&guess.pair, now);
        }
        self.by_address.look(&guess.address, now)?;
        self.by_key.look(&guess.key, now)
    }

    pub(super) fn note_bad(&self, guess: &Guess, now: u64) {
        let _ = self.by_address.take(&guess.address, now);
        let _ = self.by_key.take(&guess.key, now);
        let _ = self.by_pair.take(&guess.pair, now);
    }

    pub(super) fn note_good(&self, guess: &Guess, now: u64) {
        self.good.note(guess.pair, now);
    }
}

/// The id of a well-formed API key; what is none can't be a good guess.
pub(super) fn key_of(presented: &Presented<'_>) -> Option<CredentialId> {
    let authorization = presented.authorization.as_deref()?;
    let (_, token) = std::str::from_utf8(authorization).ok()?.split_once(' ')?;
    ApiKey::parse(token).ok().map(|key| key.id().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guesses() -> Guesses {
        Guesses::new(Rate::per_minute(10))
    }

    fn guess(guesses: &Guesses, key: &str, address: &str) -> Guess {
        guesses.guess(&CredentialId::new(key).unwrap(), address.parse().unwrap())
    }

    fn tries(guesses: &Guesses, many: impl Iterator<Item = Guess>) -> usize {
        let one = |guess: &Guess| {
            let admitted = guesses.admit(guess, 0).is_ok();
            guesses.note_bad(guess, 0);
            admitted
        };
        many.filter(one).count()
    }

    #[test]
    fn an_address_that_guesses_ids_is_slowed() {
        let guesses = guesses();
        let many = (0..50).map(|key| guess(&guesses, &format!("k{key}"), "192.0.2.1"));
        assert_eq!(tries(&guesses, many), 10);
        let other = guess(&guesses, "k1", "192.0.2.2");
        assert!(guesses.admit(&other, 0).is_ok());
    }

    #[test]
    fn many_addresses_that_guess_one_key_are_slowed() {
        let guesses = guesses();
        let many = (0..50).map(|host| guess(&guesses, "k", &format!("192.0.2.{host}")));
        assert_eq!(tries(&guesses, many), 10);
    }

    #[test]
    fn nobody_locks_a_key_out_of_its_own_address() {
        let guesses = guesses();
        let own = guess(&guesses, "k", "198.51.100.1");
        guesses.note_good(&own, 0);
        let many = (0..50).map(|host| guess(&guesses, "k", &format!("192.0.2.{host}")));
        assert_eq!(tries(&guesses, many), 10);
        assert!(guesses.admit(&own, 0).is_ok());
        let same = (0..50).map(|_| guess(&guesses, "k", "198.51.100.1"));
        assert!(
            tries(&guesses, same) <= 10,
            "its own address may not guess either"
        );
    }
}
