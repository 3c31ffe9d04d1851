//! Keys that a deployment knows, given as keyed hashes: what finds them can't
//! be used to learn them.

use aws_lc_rs::{constant_time, hmac, rand};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::charset::is_key_byte;

/// Shortest value that can be told from chance, in bytes.
const SHORTEST: usize = 16;
/// Longest value, in bytes.
const LONGEST: usize = 512;

/// A set of keyed hashes, all under one key.
#[derive(Debug)]
pub struct KnownKeys {
    key: hmac::Key,
    key_text: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    length: usize,
    hmac_sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    key: String,
    fingerprints: Vec<Entry>,
}

/// Why a file of fingerprints can't be read, or a value can't be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnownKeysError {
    /// It is no such file.
    #[error("it is no file of fingerprints: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Its version is another.
    #[error("its version is {0}; this program reads version 1")]
    Version(u32),
    /// Its key is no base64 of 32 bytes.
    #[error("its key is not base64 of 32 bytes")]
    Key,
    /// The value is too short or too long, or has characters no key has.
    #[error("the value must have {SHORTEST} to {LONGEST} letters, digits, '-' and '_'")]
    Value,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

impl KnownKeys {
    /// An empty set under a new random key.
    ///
    /// # Errors
    ///
    /// [`KnownKeysError::Random`].
    pub fn generate() -> Result<Self, KnownKeysError> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| KnownKeysError::Random)?;
        Self::with_key(BASE64_STANDARD.encode(bytes), Vec::new())
    }

    /// Reads a file's text.
    ///
    /// # Errors
    ///
    /// [`KnownKeysError`] when it is none.
    pub fn parse(text: &str) -> Result<Self, KnownKeysError> {
        let file: File = serde_json::from_str(text)?;
        if file.version != 1 {
            return Err(KnownKeysError::Version(file.version));
        }
        Self::with_key(file.key, file.fingerprints)
    }

    fn with_key(key_text: String, entries: Vec<Entry>) -> Result<Self, KnownKeysError> {
        let bytes = BASE64_STANDARD
            .decode(&key_text)
            .map_err(|_| KnownKeysError::Key)?;
        if bytes.len() != 32 {
            return Err(KnownKeysError::Key);
        }
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &bytes),
            key_text,
            entries,
        })
    }

    /// Adds a value under a name; one that is there already is named anew.
    ///
    /// # Errors
    ///
    /// [`KnownKeysError::Value`].
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), KnownKeysError> {
        let fits = (SHORTEST..=LONGEST).contains(&value.len()) && value.bytes().all(is_key_byte);
        if !fits {
            return Err(KnownKeysError::Value);
        }
        let hash = self.hash(value.as_bytes());
        self.entries.retain(|entry| entry.hmac_sha256 != hash);
        self.entries.push(Entry {
            name: name.to_owned(),
            length: value.len(),
            hmac_sha256: hash,
        });
        Ok(())
    }

    /// The file's text.
    ///
    /// # Errors
    ///
    /// When it can't be written as JSON, which no set of this type does.
    pub fn to_json(&self) -> Result<String, KnownKeysError> {
        Ok(serde_json::to_string_pretty(&File {
            version: 1,
            key: self.key_text.clone(),
            fingerprints: self.entries.clone(),
        })?)
    }

    /// The name of a value that is one of these.
    pub(crate) fn name_of(&self, value: &[u8]) -> Option<String> {
        let same_length = |entry: &&Entry| entry.length == value.len();
        self.entries.iter().find(same_length)?;
        let hash = self.hash(value);
        let same = |entry: &&Entry| {
            constant_time::verify_slices_are_equal(entry.hmac_sha256.as_bytes(), hash.as_bytes())
                .is_ok()
        };
        self.entries
            .iter()
            .find(same)
            .map(|entry| entry.name.clone())
    }

    /// Runs of key characters as long as one of these.
    pub(crate) fn candidates<'t>(
        &'t self,
        text: &'t [u8],
    ) -> impl Iterator<Item = (usize, usize)> + 't {
        let mut at = 0;
        std::iter::from_fn(move || {
            at += text.get(at..)?.iter().position(|byte| is_key_byte(*byte))?;
            let start = at;
            at += text[at..]
                .iter()
                .take_while(|byte| is_key_byte(**byte))
                .count();
            Some((start, at))
        })
        .filter(|(start, end)| self.entries.iter().any(|entry| entry.length == end - start))
    }

    fn hash(&self, value: &[u8]) -> String {
        let tag = hmac::sign(&self.key, value);
        BASE64_STANDARD.encode(tag.as_ref())
    }
}
