//! An alert, and what tells it from others.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::rule::{RuleKind, Severity};
use crate::{
    Timestamp,
    ids::{InvalidId, Subject, hex},
};

/// What an alert is about, by name: a subject, an upstream, a receiver.
pub type Cause = BTreeMap<String, String>;

/// The id of one alert: `al_` and 128 random bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlertId(String);

impl AlertId {
    /// Makes an id of 128 random bits.
    #[must_use]
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(format!("al_{}", hex(&bits)))
    }

    /// Takes a text that is an id as it is made here.
    ///
    /// # Errors
    ///
    /// [`InvalidId`] where it is none.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
        let text = text.into();
        let bits = text.strip_prefix("al_").ok_or(InvalidId::Empty)?;
        let is_hex = bits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match bits.len() == 32 && is_hex {
            true => Ok(Self(text)),
            false => Err(InvalidId::Control),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for AlertId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

impl From<AlertId> for String {
    fn from(id: AlertId) -> Self {
        id.0
    }
}

/// The same for the same rule and cause, whenever it fires.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a cause under a rule: 16 hexadecimal digits.
    #[must_use]
    pub fn of(rule: &str, cause: &Cause) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(rule.as_bytes());
        for (name, value) in cause {
            for part in [name, value] {
                context.update(&[0]);
                context.update(part.as_bytes());
            }
        }
        Self(hex(&context.finish().as_ref()[..8]))
    }

    /// Takes a kept fingerprint back.
    #[must_use]
    pub const fn kept(text: String) -> Self {
        Self(text)
    }

    /// The fingerprint as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who has seen an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who says so.
    pub by: Subject,
    /// When.
    pub at: Timestamp,
    /// What they say to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One alert, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its id; the next time the same cause fires, it is another one.
    pub id: AlertId,
    /// The same for the same rule and cause.
    pub fingerprint: Fingerprint,
    /// The rule's name.
    pub rule: String,
    /// What the rule watches.
    pub kind: RuleKind,
    /// How urgent it is.
    pub severity: Severity,
    /// What it is about.
    pub cause: Cause,
    /// What happened, in a sentence.
    pub summary: String,
    /// The latest measured value, in the unit of the rule's threshold.
    pub value: f64,
    /// The rule's threshold when it fired.
    pub threshold: f64,
    /// When it began.
    pub started_at: Timestamp,
    /// When its cause was last seen.
    pub last_seen_at: Timestamp,
    /// When it ended; none while it lasts.
    pub ended_at: Option<Timestamp>,
    /// Who has seen it.
    pub acknowledged: Option<Acknowledgement>,
}

impl Alert {
    /// Whether it lasts.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.ended_at.is_none()
    }

    /// What to do about it, in a sentence.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        super::words::remedy(self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(pairs: &[(&str, &str)]) -> Cause {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_fingerprint_tells_rule_names_and_values_apart() {
        let of = |rule, pairs: &[(&str, &str)]| Fingerprint::of(rule, &cause(pairs));
        let one = of("tokens_per_user", &[("subject", "a")]);
        assert_eq!(one, of("tokens_per_user", &[("subject", "a")]));
        assert_eq!(one.as_str().len(), 16);
        for other in [
            of("other", &[("subject", "a")]),
            of("tokens_per_user", &[("subject", "b")]),
            of("tokens_per_user", &[("subjec", "ta")]),
            of("tokens_per_user", &[]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn only_an_id_of_ours_is_an_id() {
        let id = AlertId::from_random([0xab; 16]);
        assert_eq!(AlertId::new(id.as_str()), Ok(id));
        for text in ["", "al_", "al_zz", "gr_abababababababababababababababab"] {
            assert!(AlertId::new(text).is_err(), "{text}");
        }
    }
}
