//! The `Idempotency-Key` header of a request for a secret.

use std::hash::{BuildHasher, RandomState};

use hallpass_core::{caller::Caller, code::Code, refusal::Refusal};
use http::{HeaderMap, HeaderName};

use crate::replay::{Fingerprint, ReplayKey};

/// The request's header.
const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The answer's header that says it was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Longest key.
const MAX_KEY: usize = 255;

/// The key a request names, if any.
///
/// # Errors
///
/// A [`Refusal`] when it is no key.
pub(crate) fn key(headers: &HeaderMap, caller: &Caller) -> Result<Option<ReplayKey>, Refusal> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let good = (1..=MAX_KEY).contains(&text.len()) && values.next().is_none();
    if !good {
        return Err(Refusal::new(
            Code::InvalidMember,
            "Idempotency-Key must be one text of 1 to 255 visible characters.",
        )
        .member("Idempotency-Key"));
    }
    Ok(Some(ReplayKey::new(caller, text)))
}

/// Tells requests apart by route and body, under a key of this process.
pub(crate) struct Fingerprints(RandomState);

impl Fingerprints {
    pub(crate) fn new() -> Self {
        Self(RandomState::new())
    }

    /// The fingerprint of a request.
    pub(crate) fn of(&self, route: &str, body: &[u8]) -> Fingerprint {
        self.0.hash_one((route, body))
    }
}

/// The refusal of a key that was used for another request.
pub(crate) fn conflict() -> Refusal {
    Refusal::new(
        Code::IdempotencyConflict,
        "This Idempotency-Key was used for another request a moment ago. Send a new key with a new request.",
    )
}
