//! Slows whoever sends wrong tokens and sessions, by address.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::Duration,
};

use hallpass_core::{caller::Presented, quota::Rate};

use super::{AddressBlock, bounded::Bounded, known::KnownGood};

/// One try of a credential that is no API key: what, from where.
pub(super) struct Attempt {
    address: AddressBlock,
    pair: u64,
}

/// Counts wrong tokens and sessions of each address.
///
/// Many people can be behind one address. So a credential that was good from
/// there within the last hour is let through whatever the others send; one that
/// was not has to wait with them, since only verifying would tell it apart.
pub(super) struct Failures {
    hasher: RandomState,
    session_cookies: Vec<String>,
    by_address: Bounded<AddressBlock>,
    good: KnownGood,
}

impl Failures {
    pub(super) fn new(rate: Rate, session_cookies: Vec<String>) -> Self {
        Self {
            hasher: RandomState::new(),
            session_cookies,
            by_address: Bounded::new(rate),
            good: KnownGood::default(),
        }
    }

    /// What is tried; none where no credential is presented.
    pub(super) fn attempt(&self, presented: &Presented<'_>, address: IpAddr) -> Option<Attempt> {
        let address = AddressBlock::of(address);
        if let Some(authorization) = &presented.authorization {
            let pair = self.hasher.hash_one((address, authorization));
            return Some(Attempt { address, pair });
        }
        // Other cookies come and go with each page, and prove nothing.
        let is_session = |name: &str| {
            let mut known = self.session_cookies.iter();
            known.any(|known| name.starts_with(known.as_str()))
        };
        let cookies = presented.cookies.iter();
        let session: Vec<_> = cookies.filter(|(name, _)| is_session(name)).collect();
        (!session.is_empty()).then(|| Attempt {
            address,
            pair: self.hasher.hash_one((address, session)),
        })
    }

    /// Lets a credential be verified, or says how long to wait.
    pub(super) fn admit(&self, attempt: &Attempt, now: u64) -> Result<(), Duration> {
        if self.good.holds(attempt.pair, now) {
            return Ok(());
        }
        self.by_address.look(&attempt.address, now)
    }

    pub(super) fn note_bad(&self, attempt: &Attempt, now: u64) {
        let _ = self.by_address.take(&attempt.address, now);
    }

    pub(super) fn note_good(&self, attempt: &Attempt, now: u64) {
        self.good.note(attempt.pair, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures() -> Failures {
        Failures::new(Rate::per_minute(5), vec!["session".to_owned()])
    }

    fn bearer(token: &str) -> Presented<'static> {
        Presented {
            authorization: Some(format!("Bearer {token}").into_bytes().into()),
            ..Presented::default()
        }
    }

    fn attempt(failures: &Failures, presented: &Presented<'_>, address: &str) -> Attempt {
        let address = address.parse().unwrap();
        failures.attempt(presented, address).unwrap()
    }

    fn verified(failures: &Failures, tokens: impl Iterator<Item = usize>) -> usize {
        let one = |token: &usize| {
            let tried = attempt(failures, &bearer(&token.to_string()), "192.0.2.1");
            let admitted = failures.admit(&tried, 0).is_ok();
            failures.note_bad(&tried, 0);
            admitted
        };
        tokens.filter(one).count()
    }

    #[test]
    fn an_address_that_guesses_is_slowed_and_its_neighbours_are_not() {
        let failures = failures();
        assert_eq!(verified(&failures, 0..50), 5);
        let other = attempt(&failures, &bearer("a"), "192.0.2.2");
        assert!(failures.admit(&other, 0).is_ok());
    }

    #[test]
    fn who_was_let_in_from_there_stays_in() {
        let failures = failures();
        let own = attempt(&failures, &bearer("good"), "192.0.2.1");
        failures.note_good(&own, 0);
        verified(&failures, 0..50);
        assert!(failures.admit(&own, 0).is_ok());
        let elsewhere = attempt(&failures, &bearer("good"), "192.0.2.2");
        verified(&failures, 0..50);
        assert!(failures.admit(&elsewhere, 0).is_ok(), "another address");
        let new = attempt(&failures, &bearer("new"), "192.0.2.1");
        assert!(failures.admit(&new, 0).is_err());
    }

    #[test]
    fn a_session_is_known_by_its_own_cookies_alone() {
        let failures = failures();
        let cookies = |cookies: &[(&'static str, &'static str)]| Presented {
            cookies: cookies.to_vec(),
            ..Presented::default()
        };
        let pair = |presented: &Presented<'_>| attempt(&failures, presented, "192.0.2.1").pair;
        let session = pair(&cookies(&[
            ("theme", "dark"),
            ("session.0", "a"),
            ("session.1", "b"),
        ]));
        assert_eq!(
            session,
            pair(&cookies(&[
                ("session.0", "a"),
                ("session.1", "b"),
                ("ad", "1")
            ]))
        );
        assert_ne!(
            session,
            pair(&cookies(&[("session.0", "a"), ("session.1", "c")]))
        );
        let none = cookies(&[("theme", "dark")]);
        assert!(
            failures
                .attempt(&none, "192.0.2.1".parse().unwrap())
                .is_none()
        );
    }
}
