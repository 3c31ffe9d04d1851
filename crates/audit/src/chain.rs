//! How each record is tied to the one before it.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest;
use hallpass_core::ids::hex;

use crate::line::{Flaw, Sealed};

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(hash)
    }

    /// Takes a stored hash back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The SHA-256 of bytes that come in pieces.
pub(crate) struct Hasher(digest::Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Hasher {
    /// Goes on with the next piece.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all pieces.
    pub(crate) fn finish(self) -> Hash {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.finish().as_ref());
        Hash(hash)
    }
}

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a SHA-256 in 64 lower-case hexadecimal digits")]
pub struct NotAHash;

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(NotAHash);
        }
        let mut hash = [0; 32];
        for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(hash))
    }
}

const fn digit(byte: u8) -> Result<u8, NotAHash> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(NotAHash),
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// One place of a trail: a record's number and its hash.
///
/// Kept elsewhere, it shows later that the trail up to it is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The record's number, from 0.
    pub sequence: u64,
    /// The record's hash.
    pub hash: Hash,
}

/// Walks a chain, record by record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain {
    /// The record accepted last.
    pub(crate) head: Option<Link>,
    /// The trail's own id.
    pub(crate) uid: Option<String>,
}

impl Chain {
    /// The number the next record has.
    pub(crate) fn next(&self) -> u64 {
        self.head.map_or(0, |head| head.sequence + 1)
    }

    /// Takes the next line, without its line feed.
    pub(crate) fn accept(&mut self, line: &[u8]) -> Result<(), Flaw> {
        let sealed = Sealed::read(line)?;
        self.follow(&sealed)?;
        self.head = Some(sealed.link());
        self.uid = Some(sealed.chain);
        Ok(())
    }

    /// Checks that a record follows the head.
    pub(crate) fn follow(&self, record: &Sealed) -> Result<(), Flaw> {
        if record.sequence != self.next() {
            return Err(Flaw::Sequence {
                expected: self.next(),
                found: record.sequence,
            });
        }
        if record.previous != self.head.map(|head| head.hash) {
            return Err(Flaw::Previous);
        }
        if self.uid.as_ref().is_some_and(|uid| *uid != record.chain) {
            return Err(Flaw::OtherTrail);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Sealer;

    #[test]
    fn a_hash_reads_back_and_nothing_else_reads() {
        let hash = Hash::of(b"abc");
        let text = hash.to_string();
        assert!(text.starts_with("ba7816bf") && text.ends_with("f20015ad"));
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text.to_uppercase().parse::<Hash>(), Err(NotAHash));
        assert_eq!(text[1..].parse::<Hash>(), Err(NotAHash));
    }

    #[test]
    fn each_flipped_byte_of_a_hundred_records_is_found_at_its_record() {
        let sealer = Sealer::new("01920000-0000-7000-8000-000000000000", "1.2.3");
        let mut before = Chain::default();
        for number in 0..100 {
            let body = format!(
                r#"{{"time":1795000000123,"unmapped":{{"hallpass":{{"action":"grant.create","n":{number}"#
            );
            let mut line = Vec::new();
            sealer.seal(&mut line, body.as_bytes(), &before);
            line.pop();
            for place in 0..line.len() {
                let mut changed = line.clone();
                changed[place] ^= 1 << ((place + number) % 8);
                let found = before.clone().accept(&changed);
                assert!(found.is_err(), "record {number}, byte {place}");
            }
            before.accept(&line).unwrap();
        }
        assert_eq!(before.next(), 100);
    }
}
