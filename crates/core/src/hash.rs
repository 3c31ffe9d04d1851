//! Keyed hashes: how a value is recognised later without being kept.

use std::fmt;

use aws_lc_rs::{constant_time, hkdf, hmac};
use zeroize::Zeroizing;

use crate::ids::hex;

/// What a derived key is for; each purpose has a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Stored API keys.
    ApiKey,
    /// Sensitive values in the audit trail.
    Audit,
    /// `OpenAI-Safety-Identifier`.
    SafetyIdentifier,
    /// Stored passes.
    Pass,
    /// The seeds of keys that sign checkpoints where no disk keeps one.
    Checkpoint,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::ApiKey => b"hallpass api key v1",
            Self::Audit => b"hallpass audit value v1",
            Self::SafetyIdentifier => b"hallpass safety identifier v1",
            Self::Pass => b"hallpass pass v1",
            Self::Checkpoint => b"hallpass checkpoint v1",
        }
    }
}

/// The secret of one installation, from which every keyed hash derives.
pub struct InstallKey(Zeroizing<[u8; 32]>);

impl InstallKey {
    /// Takes 32 random bytes, made once at the first start and kept.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The hasher of one purpose.
    #[must_use]
    pub fn hasher(&self, purpose: Purpose) -> Hasher {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"hallpass");
        let prk = salt.extract(self.0.as_slice());
        let mut derived = Zeroizing::new([0_u8; 32]);
        let info = [purpose.label()];
        // 32 bytes of HKDF-SHA256 are always to be had; the limit is 255 times that.
        let filled = prk
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(derived.as_mut_slice()));
        debug_assert!(filled.is_ok());
        Hasher(hmac::Key::new(hmac::HMAC_SHA256, derived.as_slice()))
    }
}

impl fmt::Debug for InstallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallKey(…)")
    }
}

/// HMAC-SHA256 under the key of one [`Purpose`].
#[derive(Clone)]
pub struct Hasher(hmac::Key);

impl Hasher {
    /// The keyed hash of a value.
    #[must_use]
    pub fn hash(&self, value: &[u8]) -> KeyedHash {
        let tag = hmac::sign(&self.0, value);
        let mut bytes = [0_u8; 32];
        bytes.copy_from_slice(&tag.as_ref()[..32]);
        KeyedHash(bytes)
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(…)")
    }
}

/// A value's HMAC-SHA256; comparing two takes the same time whatever they hold.
#[derive(Clone, Copy)]
pub struct KeyedHash([u8; 32]);

impl KeyedHash {
    /// Takes a stored hash back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Takes a stored hash back from its hexadecimal; none where it is none.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The hash's bytes, to be stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash in lower-case hexadecimal, 64 characters.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }
}

impl PartialEq for KeyedHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for KeyedHash {}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyedHash({}…)", hex(&self.0[..4]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_and_each_install_has_its_own_hashes() {
        let ours = InstallKey::new([1; 32]);
        let theirs = InstallKey::new([2; 32]);
        let value = b"same value";
        let hash = ours.hasher(Purpose::Audit).hash(value);
        assert_eq!(hash, ours.hasher(Purpose::Audit).hash(value));
        assert_eq!(KeyedHash::from_hex(&hash.to_hex()), Some(hash));
        assert_eq!(KeyedHash::from_hex("+1"), None);
        assert_ne!(hash, ours.hasher(Purpose::ApiKey).hash(value));
        assert_ne!(hash, theirs.hasher(Purpose::Audit).hash(value));
    }
}
