//! Identifiers, one type for each thing that has one.
//!
//! Their texts are shared: one request hands its ids to registry, trail, log
//! and limits.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Longest accepted subject, session id or request id, in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("is longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// The text has a control character.
    #[error("has a control character")]
    Control,
}

fn check(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(InvalidId::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidId::Control);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub(crate) Arc<str>);

        impl $name {
            /// Takes a text that is not empty, not over-long, and has no control character.
            ///
            /// # Errors
            ///
            /// [`InvalidId`] says which of the three it is.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text.into()))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }
    };
}

id! {
    /// The app's own id of a user, or the name of a service.
    Subject
}
id! {
    /// The app's own id of an interview.
    SessionId
}
id! {
    /// The id a request carries through logs, audit and answers.
    RequestId
}
id! {
    /// The id of one grant: `gr_`, the time in milliseconds, and 80 random bits.
    GrantId
}
id! {
    /// The id all refreshes of one first grant share: `ln_` and the bits of the
    /// first one's id.
    LineageId
}
id! {
    /// The name of a profile in the configuration.
    ProfileName
}
id! {
    /// The name of a role in the configuration.
    RoleName
}
id! {
    /// The id of one revocation: `rv_` and 128 random bits.
    RevocationId
}
id! {
    /// The id of one live session: `ls_` and 128 random bits.
    LiveId
}
id! {
    /// The id of the credential a caller used: an API key's id, or the name of
    /// the configured issuer or cookie.
    CredentialId
}

/// Lower-case hexadecimal of some bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    tagged("", bytes)
}

/// A tag and the lower-case hexadecimal of some bytes.
fn tagged(tag: &str, bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Vec::with_capacity(tag.len() + bytes.len() * 2);
    text.extend_from_slice(tag.as_bytes());
    text.resize(tag.len() + bytes.len() * 2, 0);
    let (pairs, _) = text[tag.len()..].as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    // Digits after a text are a text.
    String::from_utf8(text).unwrap_or_default()
}

impl GrantId {
    /// Makes an id of 128 bits.
    #[must_use]
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(tagged("gr_", &bits).into())
    }

    /// Makes an id of a moment and 80 random bits.
    ///
    /// Ids made one after another sort so, and a store keeps them side by side.
    #[must_use]
    pub fn at(time: Timestamp, random: [u8; 10]) -> Self {
        let millis = time.as_millisecond().max(0).to_be_bytes();
        let mut bits = [0; 16];
        bits[..6].copy_from_slice(&millis[2..]);
        bits[6..].copy_from_slice(&random);
        Self::from_random(bits)
    }
}

impl LineageId {
    /// Makes an id of 128 random bits.
    #[must_use]
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(tagged("ln_", &bits).into())
    }
}

impl LineageId {
    /// The name under which a live session has its place among its caller's.
    #[must_use]
    pub fn of_live(id: &LiveId) -> Self {
        Self(id.0.clone())
    }

    /// The lineage that begins with a grant; it has that grant's bits.
    #[must_use]
    pub fn begun_by(grant: &GrantId) -> Self {
        let text = grant.as_str();
        let bits = text.strip_prefix("gr_").unwrap_or(text);
        Self(["ln_", bits].concat().into())
    }
}

impl RevocationId {
    /// Makes an id of 128 random bits.
    #[must_use]
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(tagged("rv_", &bits).into())
    }
}

impl LiveId {
    /// Makes an id of 128 random bits.
    #[must_use]
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(tagged("ls_", &bits).into())
    }
}

impl RequestId {
    /// Makes an id of 128 random bits.
    #[must_use]
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(tagged("req_", &bits).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_refuses_what_could_break_a_log_line() {
        assert_eq!(Subject::new(""), Err(InvalidId::Empty));
        assert_eq!(Subject::new("a\nb"), Err(InvalidId::Control));
        assert_eq!(Subject::new("x".repeat(257)), Err(InvalidId::TooLong));
        assert_eq!(Subject::new("user-1").unwrap().as_str(), "user-1");
    }

    #[test]
    fn grant_ids_sort_as_they_were_made() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let earlier = GrantId::at(at(1_800_000_000_000), [0xff; 10]);
        let later = GrantId::at(at(1_800_000_000_001), [0; 10]);
        assert!(earlier < later);
        assert_eq!(later.as_str().len(), 35);
        let lineage = LineageId::begun_by(&later);
        assert_eq!(lineage.as_str()[3..], later.as_str()[3..]);
    }

    #[test]
    fn a_grant_id_holds_all_its_bits() {
        let id = GrantId::from_random([0xab; 16]);
        assert_eq!(id.as_str(), format!("gr_{}", "ab".repeat(16)));
    }
}
