//! Tokens that were proven lately, so that a signature is verified once.

use std::{
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

use aws_lc_rs::digest;

use super::issuer::Proven;

/// The most tokens remembered.
const MAX_TOKENS: u64 = 10_000;

/// SHA-256 of a whole token: the token itself is not kept.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(token: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.as_ref());
        Self(bytes)
    }
}

/// A proven token and the place of its issuer.
pub(super) struct Remembered {
    pub(super) place: usize,
    pub(super) proven: Proven,
}

/// A bounded set of proven tokens. What was refused is not remembered, so that
/// nobody can push good tokens out with bad ones.
pub(super) struct TokenCache(
    moka::sync::Cache<Fingerprint, Arc<Remembered>, BuildHasherDefault<LeadingBytes>>,
);

impl TokenCache {
    pub(super) fn new() -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(MAX_TOKENS);
        Self(builder.build_with_hasher(BuildHasherDefault::default()))
    }

    pub(super) fn find(&self, fingerprint: &Fingerprint) -> Option<Arc<Remembered>> {
        self.0.get(fingerprint)
    }

    pub(super) fn keep(&self, fingerprint: Fingerprint, remembered: Remembered) {
        self.0.insert(fingerprint, Arc::new(remembered));
    }
}

/// A fingerprint is a hash already: its first bytes do.
#[derive(Default)]
struct LeadingBytes(u64);

impl Hasher for LeadingBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
