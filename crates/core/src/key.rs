//! The text of an API key: `hp_<kind>_<id>_<secret><checksum>`.
//!
//! The id finds the stored record, the checksum tells a mistyped key from a
//! wrong one without a look-up, and only a keyed hash of the whole text is kept.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::ids::CredentialId;

/// Characters of the id, about 71 bits.
const ID_CHARS: usize = 12;
/// Characters of the secret, about 190 bits.
const SECRET_CHARS: usize = 32;
/// Characters of the checksum: CRC-32 in base 62.
pub(crate) const CHECKSUM_CHARS: usize = 6;
/// Random bytes an [`ApiKey`] is made of.
pub const KEY_RANDOM_BYTES: usize = 64;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a key is for; part of its text so that a person sees it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::Display, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase")]
pub enum KeyKind {
    /// A service that mints for its users.
    Svc,
    /// An operator.
    Adm,
}

/// A whole API key: shown once, when it is made.
pub struct ApiKey {
    text: SecretString,
    kind: KeyKind,
    id: CredentialId,
}

/// Why a text is no API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFormatError {
    /// It does not begin with `hp_`.
    #[error("it does not begin with hp_")]
    NotAKey,
    /// Its parts are not those of a key.
    #[error("its parts are not hp_<kind>_<id>_<secret>")]
    Shape,
    /// Its checksum is wrong: it was cut or mistyped.
    #[error("its checksum is wrong: it was cut or mistyped")]
    Checksum,
}

impl ApiKey {
    /// Makes a key of random bytes.
    #[must_use]
    pub fn generate(kind: KeyKind, random: &[u8; KEY_RANDOM_BYTES]) -> Self {
        let mut digits = base62_digits(random);
        let id: String = digits.by_ref().take(ID_CHARS).collect();
        let secret: String = digits.take(SECRET_CHARS).collect();
        let body = format!("hp_{kind}_{id}_{secret}");
        let text = format!("{body}{}", checksum(&body));
        Self {
            text: SecretString::from(text),
            kind,
            id: CredentialId::from_key_part(&id),
        }
    }

    /// Reads a key's text; says nothing about whether it is a good one.
    ///
    /// # Errors
    ///
    /// [`KeyFormatError`] when it has not the form of a key.
    pub fn parse(text: &str) -> Result<Self, KeyFormatError> {
        let rest = text.strip_prefix("hp_").ok_or(KeyFormatError::NotAKey)?;
        let (kind, rest) = rest.split_once('_').ok_or(KeyFormatError::Shape)?;
        let (id, tail) = rest.split_once('_').ok_or(KeyFormatError::Shape)?;
        let kind: KeyKind = kind.parse().map_err(|_| KeyFormatError::Shape)?;
        let alphanumeric = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric());
        if id.len() != ID_CHARS || tail.len() != SECRET_CHARS + CHECKSUM_CHARS {
            return Err(KeyFormatError::Shape);
        }
        if !alphanumeric(id) || !alphanumeric(tail) {
            return Err(KeyFormatError::Shape);
        }
        let (body, sum) = text.split_at(text.len() - CHECKSUM_CHARS);
        if checksum(body) != sum {
            return Err(KeyFormatError::Checksum);
        }
        Ok(Self {
            text: SecretString::from(text.to_owned()),
            kind,
            id: CredentialId::from_key_part(id),
        })
    }

    /// The whole key: to be hashed, or shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What the key is for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public id within the key.
    #[must_use]
    pub const fn id(&self) -> &CredentialId {
        &self.id
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey(hp_{}_{}_…)", self.kind, self.id)
    }
}

impl CredentialId {
    /// The id of a key whose parts were checked.
    fn from_key_part(id: &str) -> Self {
        Self(id.into())
    }
}

/// Base 62 digits without bias: bytes at and above 248 are skipped.
pub(crate) fn base62_digits(random: &[u8]) -> impl Iterator<Item = char> {
    let unbiased = random.iter().copied().filter(|byte| *byte < 248);
    // 64 bytes give 44 unbiased digits but with negligible chance; a skipped
    // byte's place is then taken by its low bits, never by a constant.
    let spare = random.iter().copied().map(|byte| byte % 62);
    unbiased
        .map(|byte| byte % 62)
        .chain(spare)
        .map(|digit| char::from(ALPHABET[usize::from(digit)]))
}

pub(crate) fn checksum(body: &str) -> String {
    let mut value = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for place in digits.iter_mut().rev() {
        *place = ALPHABET[(value % 62) as usize];
        value /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_made_key_reads_back(random in prop::array::uniform32(any::<u8>()), more in prop::array::uniform32(any::<u8>())) {
            let mut bytes = [0; KEY_RANDOM_BYTES];
            bytes[..32].copy_from_slice(&random);
            bytes[32..].copy_from_slice(&more);
            let key = ApiKey::generate(KeyKind::Svc, &bytes);
            let read = ApiKey::parse(key.expose()).unwrap();
            prop_assert_eq!(read.id(), key.id());
            prop_assert_eq!(read.kind(), KeyKind::Svc);
            prop_assert_eq!(key.expose().len(), 3 + 4 + 12 + 1 + 38);
        }

        #[test]
        fn one_changed_character_is_seen(random in prop::array::uniform32(any::<u8>()), at in 7_usize..58, to in "[0-9A-Za-z]") {
            let mut bytes = [7; KEY_RANDOM_BYTES];
            bytes[..32].copy_from_slice(&random);
            let key = ApiKey::generate(KeyKind::Adm, &bytes);
            let mut text = key.expose().to_owned();
            prop_assume!(at < text.len() && text[at..=at] != to);
            text.replace_range(at..=at, &to);
            prop_assert!(ApiKey::parse(&text).is_err());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = ApiKey::parse(&text);
            let _ = ApiKey::parse(&format!("hp_svc_{text}"));
        }
    }

    #[test]
    fn debug_shows_the_id_alone() {
        let key = ApiKey::generate(KeyKind::Svc, &[3; KEY_RANDOM_BYTES]);
        assert_eq!(format!("{key:?}"), "ApiKey(hp_svc_333333333333_…)");
    }
}
