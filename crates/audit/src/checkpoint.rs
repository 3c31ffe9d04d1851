//! Signed statements of how far a trail had come, and what it then was.
//!
//! A checkpoint is a C2SP tlog-checkpoint in a C2SP signed note: the origin
//! (`hallpass-audit/` and the trail's id, which is the key's name too), the
//! number of records, and the root of their Merkle tree.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::chain::Hash;

/// The dash that begins a note's signature.
const DASH: &str = "\u{2014} ";
/// How signed notes number Ed25519.
const ED25519_NOTE: u8 = 1;

/// How far a trail had come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which trail it is of.
    pub origin: String,
    /// How many records the trail had.
    pub size: u64,
    /// The root of the Merkle tree over their hashes.
    pub root: Hash,
}

impl Checkpoint {
    /// The origin of a trail, by its own id.
    #[must_use]
    pub fn origin_of(chain_uid: &str) -> String {
        format!("hallpass-audit/{chain_uid}")
    }

    fn text(&self) -> String {
        let root = BASE64_STANDARD.encode(self.root.as_bytes());
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads a note's text. Further lines are extensions and are let be.
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let origin = lines.next().filter(|line| !line.is_empty())?.to_owned();
        let size = lines.next()?;
        let plain = size == "0" || !size.starts_with('0');
        if !plain || !size.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let root: [u8; 32] = BASE64_STANDARD
            .decode(lines.next()?)
            .ok()?
            .try_into()
            .ok()?;
        Some(Self {
            origin,
            size: size.parse().ok()?,
            root: Hash::from_bytes(root),
        })
    }
}

/// Signs the checkpoints of one trail.
pub struct CheckpointKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CheckpointKey").field(&self.public).finish()
    }
}

/// The seed does not make a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint key is not usable: 32 random bytes are needed")]
pub struct BadSeed;

impl CheckpointKey {
    /// The key of 32 secret random bytes, for the trail of this id.
    ///
    /// # Errors
    ///
    /// [`BadSeed`] when there are not 32 of them.
    pub fn new(seed: &[u8], chain_uid: &str) -> Result<Self, BadSeed> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadSeed)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| BadSeed)?;
        let public = PublicKey {
            name: Checkpoint::origin_of(chain_uid),
            key: public,
        };
        Ok(Self { pair, public })
    }

    /// What others check the signatures with.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// States that a trail of this size has this root; gives the signed note.
    #[must_use]
    pub fn sign(&self, size: u64, root: Hash) -> String {
        let checkpoint = Checkpoint {
            origin: self.public.name.clone(),
            size,
            root,
        };
        let text = checkpoint.text();
        let mut signature = self.public.id().to_vec();
        signature.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        let signature = BASE64_STANDARD.encode(signature);
        format!("{text}\n{DASH}{} {signature}\n", self.public.name)
    }
}

/// Checks checkpoints; its text is a C2SP verifier key, made to be handed out.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: [u8; 32],
}

impl PublicKey {
    /// The trail whose checkpoints it checks.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.name
    }

    /// The first four bytes of the SHA-256 of name, line feed and typed key.
    fn id(&self) -> [u8; 4] {
        let mut named = self.name.as_bytes().to_vec();
        named.extend_from_slice(&[b'\n', ED25519_NOTE]);
        named.extend_from_slice(&self.key);
        let hash = Hash::of(&named);
        let [a, b, c, d, ..] = *hash.as_bytes();
        [a, b, c, d]
    }

    /// Checks a note's signature and reads its checkpoint.
    ///
    /// Signatures of other keys, such as witnesses', are let be.
    ///
    /// # Errors
    ///
    /// [`BadNote`] says what is wrong.
    pub fn open(&self, note: &str) -> Result<Checkpoint, BadNote> {
        let (text, signatures) = note.split_once("\n\n").ok_or(BadNote::Format)?;
        let text = format!("{text}\n");
        let ours = signatures.lines().find_map(|line| self.signature(line));
        let signature = ours.ok_or(BadNote::NotOurs)?;
        UnparsedPublicKey::new(&ED25519, &self.key)
            .verify(text.as_bytes(), &signature)
            .map_err(|_| BadNote::Signature)?;
        let checkpoint = Checkpoint::read(&text).ok_or(BadNote::Format)?;
        if checkpoint.origin != self.name {
            return Err(BadNote::NotOurs);
        }
        Ok(checkpoint)
    }

    fn signature(&self, line: &str) -> Option<Vec<u8>> {
        let (name, signature) = line.strip_prefix(DASH)?.split_once(' ')?;
        let bytes = BASE64_STANDARD.decode(signature).ok()?;
        let signature = bytes.strip_prefix(&self.id())?;
        (name == self.name).then(|| signature.to_vec())
    }
}

/// Why a note is not a checkpoint of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// The text is not a signed note with a checkpoint in it.
    #[error("is not a signed checkpoint")]
    Format,
    /// No signature is of this key.
    #[error("is not signed by this key")]
    NotOurs,
    /// The signature is wrong.
    #[error("was changed: its signature does not match")]
    Signature,
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        let mut typed = vec![ED25519_NOTE];
        typed.extend_from_slice(&self.key);
        write!(
            f,
            "{}+{id:08x}+{}",
            self.name,
            BASE64_STANDARD.encode(typed)
        )
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// The text is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a public key as `hallpass audit key` prints it")]
pub struct NotAKey;

impl std::str::FromStr for PublicKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let mut parts = text.trim().splitn(3, '+');
        let mut part = || parts.next().ok_or(NotAKey);
        let (name, id, key) = (part()?, part()?, part()?);
        let typed = BASE64_STANDARD.decode(key).map_err(|_| NotAKey)?;
        let key = typed.strip_prefix(&[ED25519_NOTE]).ok_or(NotAKey)?;
        let read = Self {
            name: name.to_owned(),
            key: key.try_into().map_err(|_| NotAKey)?,
        };
        let id = u32::from_str_radix(id, 16).map_err(|_| NotAKey)?;
        if id.to_be_bytes() != read.id() || name.is_empty() || name.contains(char::is_whitespace) {
            return Err(NotAKey);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CheckpointKey {
        CheckpointKey::new(&[7; 32], "0192").unwrap()
    }

    #[test]
    fn a_note_reads_back_under_its_key_and_no_other() {
        let note = key().sign(42, Hash::of(b"root"));
        let read = key().public().open(&note).unwrap();
        assert_eq!((read.size, read.root), (42, Hash::of(b"root")));
        assert_eq!(read.origin, "hallpass-audit/0192");
        let other = CheckpointKey::new(&[8; 32], "0192").unwrap();
        assert_eq!(other.public().open(&note), Err(BadNote::NotOurs));
        assert!(matches!(CheckpointKey::new(&[8; 31], "x"), Err(BadSeed)));
    }

    #[test]
    fn every_changed_byte_of_a_note_is_noticed() {
        let note = key().sign(42, Hash::of(b"root"));
        for place in 0..note.len() - 1 {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            assert!(key().public().open(&changed).is_err(), "byte {place}");
        }
    }

    #[test]
    fn a_witness_may_sign_beside_us() {
        let note = key().sign(42, Hash::of(b"root"));
        let witnessed = format!("{note}{DASH}witness.example AAAAAA==\n");
        assert!(key().public().open(&witnessed).is_ok());
    }

    #[test]
    fn a_public_key_reads_back_and_nothing_else_reads() {
        let text = key().public().to_string();
        assert_eq!(text.parse::<PublicKey>().as_ref(), Ok(key().public()));
        for wrong in [
            "",
            "a+b+c",
            &text.replacen("audit", "audyt", 1),
            &text[..60],
        ] {
            assert_eq!(wrong.parse::<PublicKey>(), Err(NotAKey), "{wrong}");
        }
        assert!(!format!("{:?}", key()).contains("7, 7"));
    }
}
