//! A pass: our own single-use client secret, `ek_hp_<id>_<secret><checksum>`.
//!
//! The id is its grant's, so that the grant is found without an index; the
//! checksum tells a cut pass from a wrong one without a look-up; and only a
//! keyed hash of the whole text is kept.

use std::fmt;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Timestamp,
    hash::{Hasher, KeyedHash},
    ids::{GrantId, RoleName},
    key,
    ports::StoreError,
    secret::ClientSecret,
};

/// What every pass begins with; official SDKs take nothing that is not `ek_…`.
pub const PREFIX: &str = "ek_hp_";
/// Random bytes a [`Pass`] is made of.
pub const PASS_RANDOM_BYTES: usize = 48;

/// Characters of the id: the hexadecimal digits of the grant's.
const ID_CHARS: usize = 32;
/// Characters of the secret, about 190 bits.
const SECRET_CHARS: usize = 32;

/// A whole pass: shown once, when it is issued.
pub struct Pass {
    text: SecretString,
    grant: GrantId,
}

/// Why a text is no pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassFormatError {
    /// It does not begin with [`PREFIX`].
    #[error("it does not begin with {PREFIX}")]
    NotAPass,
    /// Its parts are not those of a pass.
    #[error("its parts are not {PREFIX}<id>_<secret>")]
    Shape,
    /// Its checksum is wrong: it was cut or mistyped.
    #[error("its checksum is wrong: it was cut or mistyped")]
    Checksum,
}

impl Pass {
    /// Makes the pass of a grant from random bytes.
    #[must_use]
    pub fn generate(grant: &GrantId, random: &[u8; PASS_RANDOM_BYTES]) -> Self {
        let id = grant.as_str();
        let id = id.strip_prefix("gr_").unwrap_or(id);
        let secret: String = key::base62_digits(random).take(SECRET_CHARS).collect();
        let body = format!("{PREFIX}{id}_{secret}");
        let text = format!("{body}{}", key::checksum(&body));
        Self {
            text: SecretString::from(text),
            grant: grant.clone(),
        }
    }

    /// Reads a pass's text; says nothing about whether it is a good one.
    ///
    /// # Errors
    ///
    /// [`PassFormatError`] when it has not the form of a pass.
    pub fn parse(text: &str) -> Result<Self, PassFormatError> {
        let rest = text.strip_prefix(PREFIX).ok_or(PassFormatError::NotAPass)?;
        let (id, tail) = rest.split_once('_').ok_or(PassFormatError::Shape)?;
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if id.len() != ID_CHARS || !id.bytes().all(hexadecimal) {
            return Err(PassFormatError::Shape);
        }
        let alphanumeric = tail.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if tail.len() != SECRET_CHARS + key::CHECKSUM_CHARS || !alphanumeric {
            return Err(PassFormatError::Shape);
        }
        let (body, sum) = text.split_at(text.len() - key::CHECKSUM_CHARS);
        if key::checksum(body) != sum {
            return Err(PassFormatError::Checksum);
        }
        let grant = GrantId::new(format!("gr_{id}")).map_err(|_| PassFormatError::Shape)?;
        Ok(Self {
            text: SecretString::from(text.to_owned()),
            grant,
        })
    }

    /// The grant it belongs to.
    #[must_use]
    pub const fn grant(&self) -> &GrantId {
        &self.grant
    }

    /// Its keyed hash: what is kept of it.
    #[must_use]
    pub fn hash(&self, hasher: &Hasher) -> KeyedHash {
        hasher.hash(self.text.expose_secret().as_bytes())
    }

    /// The secret, for the answer.
    #[must_use]
    pub fn into_secret(self) -> ClientSecret {
        ClientSecret::new(self.text.expose_secret().to_owned())
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pass({}…)", self.grant)
    }
}

/// What is kept of a pass until it is used or its time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassRecord {
    /// Its grant.
    pub grant: GrantId,
    /// The keyed hash of its text.
    pub hash: KeyedHash,
    /// The role that allowed it, whose limits and budget its session is under.
    pub role: RoleName,
    /// The session it opens, allowed overrides included, as JSON.
    pub session: String,
    /// When it stops opening one.
    pub expires_at: Timestamp,
}

/// Whether a pass was used for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Nobody used it before.
    First,
    /// It was used before.
    Again,
    /// There is none of this id, or it was forgotten.
    Unknown,
}

/// Keeps passes; each can be spent once.
#[async_trait]
pub trait Passes: Send + Sync {
    /// Keeps a new pass; a later `find` or `spend` sees it.
    async fn keep(&self, pass: &PassRecord) -> Result<(), StoreError>;
    /// The pass of a grant, spent or not.
    async fn find(&self, grant: &GrantId) -> Result<Option<PassRecord>, StoreError>;
    /// Uses a pass up: of any number of calls, at any number of replicas and
    /// over any restart, exactly one gets [`Spent::First`].
    async fn spend(&self, grant: &GrantId) -> Result<Spent, StoreError>;
    /// Forgets passes whose time was over before a moment; how many they were.
    /// A store whose passes go by themselves a while after their time does
    /// nothing.
    async fn forget(&self, before: Timestamp) -> Result<usize, StoreError>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::{InstallKey, Purpose};

    fn pass(fill: u8) -> Pass {
        Pass::generate(
            &GrantId::from_random([fill; 16]),
            &[fill; PASS_RANDOM_BYTES],
        )
    }

    #[test]
    fn a_made_pass_reads_back_and_names_its_grant() {
        let made = pass(7);
        let text = made.text.expose_secret().to_owned();
        let read = Pass::parse(&text).unwrap();
        assert_eq!(read.grant(), made.grant());
        let hasher = InstallKey::new([1; 32]).hasher(Purpose::Pass);
        assert_eq!(read.hash(&hasher), made.hash(&hasher));
        assert!(text.len() < 100 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        assert!(!format!("{made:?}").contains(&text[40..60]));
    }

    #[test]
    fn an_openai_secret_or_a_key_is_no_pass() {
        for text in [
            "ek_68af296e8e408191a1120ab6383263c2",
            "hp_svc_x",
            "",
            "ek_hp_",
        ] {
            assert!(Pass::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_changed_character_is_seen(at in 6_usize..77, to in "[0-9A-Za-z]") {
            let mut text = pass(9).text.expose_secret().to_owned();
            prop_assume!(text[at..=at] != to);
            text.replace_range(at..=at, &to);
            prop_assert!(Pass::parse(&text).is_err());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,90}") {
            let _ = Pass::parse(&text);
            let _ = Pass::parse(&format!("{PREFIX}{text}"));
        }
    }
}
