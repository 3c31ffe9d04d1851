//! Key sets: a JWKS document read strictly, or one configured key.

use std::collections::HashSet;

use aws_lc_rs::signature::ParsedPublicKey;
use secrecy::SecretString;

use super::{Algorithm, compact::Header, key::VerifyingKey};
use crate::{
    Reason, SettingsError, base64url,
    json::{Json, Object},
};

/// The largest accepted JWKS document, in bytes.
pub const MAX_JWKS_BYTES: usize = 1024 * 1024;
/// The most keys a JWKS document may have.
pub const MAX_JWKS_KEYS: usize = 100;

/// Members only a private or secret key has.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a JWKS document can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// It is larger than [`MAX_JWKS_BYTES`].
    #[error("it is larger than 1 MiB")]
    TooLarge,
    /// It is not strict JSON.
    #[error("it is not a JSON object without duplicate members ({0})")]
    Json(&'static str),
    /// It has no array `keys`.
    #[error("it has no array named keys")]
    NoKeys,
    /// It has more than [`MAX_JWKS_KEYS`] keys.
    #[error("it has more than 100 keys")]
    TooMany,
    /// Two keys have one name.
    #[error("two of its keys have the same kid")]
    DuplicateKid,
    /// None of its keys can be used with the configured algorithms.
    #[error("none of its keys can be used with the configured algorithms")]
    NoneUsable,
}

/// A key of a document that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedKey {
    /// The key's name.
    pub kid: Option<String>,
    /// Why it is not used.
    pub reason: &'static str,
}

/// The keys of one issuer, each with one algorithm.
pub struct KeySet {
    keys: Vec<NamedKey>,
    /// Whether a token must name its key; a single configured key has no name.
    by_name: bool,
    dropped: Vec<DroppedKey>,
}

struct NamedKey {
    kid: Option<String>,
    key: VerifyingKey,
}

impl KeySet {
    /// Reads a JWKS document; keys that can't be used are dropped.
    ///
    /// # Errors
    ///
    /// [`JwksError`] when the document as a whole can't be trusted or used.
    pub fn parse(document: &[u8], algorithms: &[Algorithm]) -> Result<Self, JwksError> {
        if document.len() > MAX_JWKS_BYTES {
            return Err(JwksError::TooLarge);
        }
        let object = Object::read(document).map_err(|reason| JwksError::Json(reason.as_str()))?;
        let Some(Json::Array(entries)) = object.get("keys") else {
            return Err(JwksError::NoKeys);
        };
        if entries.len() > MAX_JWKS_KEYS {
            return Err(JwksError::TooMany);
        }
        let mut set = Self {
            keys: Vec::with_capacity(entries.len()),
            by_name: true,
            dropped: Vec::new(),
        };
        let mut names = HashSet::new();
        for entry in entries {
            set.add(entry, algorithms, &mut names)?;
        }
        if set.keys.is_empty() {
            return Err(JwksError::NoneUsable);
        }
        Ok(set)
    }

    /// The set of one shared secret.
    pub(super) fn secret(
        secret: &SecretString,
        algorithms: &[Algorithm],
    ) -> Result<Self, SettingsError> {
        VerifyingKey::secret(secret, algorithms).map(Self::single)
    }

    /// The set of one public key.
    pub(super) fn pem(text: &str, algorithms: &[Algorithm]) -> Result<Self, SettingsError> {
        VerifyingKey::pem(text, algorithms).map(Self::single)
    }

    fn single(key: VerifyingKey) -> Self {
        Self {
            keys: vec![NamedKey { kid: None, key }],
            by_name: false,
            dropped: Vec::new(),
        }
    }

    /// How many keys are used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys of the document that are not used.
    #[must_use]
    pub fn dropped(&self) -> &[DroppedKey] {
        &self.dropped
    }

    /// The one key that may verify a token of this header.
    pub(super) fn select(&self, header: &Header<'_>) -> Result<&VerifyingKey, Reason> {
        let key = match &header.kid {
            Some(kid) if self.by_name => self.named(kid)?,
            _ => self.only(header.algorithm)?,
        };
        if key.algorithm() != header.algorithm {
            return Err(Reason::AlgNotAllowed);
        }
        Ok(key)
    }

    fn named(&self, kid: &str) -> Result<&VerifyingKey, Reason> {
        let mut keys = self.keys.iter();
        keys.find(|named| named.kid.as_deref() == Some(kid))
            .map(|named| &named.key)
            .ok_or(Reason::KidUnknown)
    }

    /// The single key of an algorithm, for a token that names none.
    fn only(&self, algorithm: Algorithm) -> Result<&VerifyingKey, Reason> {
        let keys = self.keys.iter().map(|named| &named.key);
        let mut fitting = keys.filter(|key| key.algorithm() == algorithm);
        let key = fitting.next().ok_or(Reason::AlgNotAllowed)?;
        if fitting.next().is_some() {
            return Err(Reason::KidMissing);
        }
        Ok(key)
    }

    fn add(
        &mut self,
        entry: &Json<'_>,
        algorithms: &[Algorithm],
        names: &mut HashSet<String>,
    ) -> Result<(), JwksError> {
        let kid = match entry {
            Json::Object(jwk) => jwk.get("kid").and_then(Json::as_text).map(str::to_owned),
            _ => None,
        };
        if let Some(kid) = &kid
            && !names.insert(kid.clone())
        {
            return Err(JwksError::DuplicateKid);
        }
        match public_key(entry, algorithms) {
            Ok(key) => self.keys.push(NamedKey { kid, key }),
            Err(reason) => self.dropped.push(DroppedKey { kid, reason }),
        }
        Ok(())
    }
}

/// Makes a key of a JWK, or says why it is not used.
fn public_key(entry: &Json<'_>, algorithms: &[Algorithm]) -> Result<VerifyingKey, &'static str> {
    let Json::Object(jwk) = entry else {
        return Err("it is not an object");
    };
    check_purpose(jwk)?;
    let mut fault = "no configured algorithm works with it";
    for algorithm in allowed(jwk, algorithms)? {
        match material(jwk, algorithm) {
            Ok(Some(key)) => return Ok(VerifyingKey::public(algorithm, key)),
            Ok(None) => {}
            Err(reason) => fault = reason,
        }
    }
    Err(fault)
}

/// Secret, private and encryption keys never verify.
fn check_purpose(jwk: &Object<'_>) -> Result<(), &'static str> {
    if PRIVATE_MEMBERS.iter().any(|name| jwk.get(name).is_some()) {
        return Err("it holds a private or secret key, which no document may");
    }
    if jwk.get("kid").is_some_and(|kid| kid.as_text().is_none()) {
        return Err("its kid is not a text");
    }
    if jwk
        .get("use")
        .is_some_and(|usage| usage.as_text() != Some("sig"))
    {
        return Err("its use is not sig");
    }
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let verifies = operations
        .as_texts()
        .is_some_and(|names| names.contains(&"verify"));
    verifies
        .then_some(())
        .ok_or("its key_ops do not have verify")
}

/// The algorithms the key may have: its own, or else all configured ones.
fn allowed(jwk: &Object<'_>, algorithms: &[Algorithm]) -> Result<Vec<Algorithm>, &'static str> {
    let Some(alg) = jwk.get("alg") else {
        return Ok(algorithms.to_vec());
    };
    let own = alg.as_text().and_then(|alg| alg.parse().ok());
    let own = own.filter(|own| algorithms.contains(own));
    own.map(|own| vec![own]).ok_or("its alg is not configured")
}

/// The key in the form its algorithm needs; none when it is of another type.
fn material(
    jwk: &Object<'_>,
    algorithm: Algorithm,
) -> Result<Option<ParsedPublicKey>, &'static str> {
    let is = |name, text| jwk.get(name).and_then(Json::as_text) == Some(text);
    let key = match algorithm {
        Algorithm::Es256 if is("kty", "EC") && is("crv", "P-256") => {
            algorithm.curve_key(&point(jwk, 32)?)
        }
        Algorithm::Es384 if is("kty", "EC") && is("crv", "P-384") => {
            algorithm.curve_key(&point(jwk, 48)?)
        }
        Algorithm::EdDsa if is("kty", "OKP") && is("crv", "Ed25519") => {
            algorithm.curve_key(&coordinate(jwk, "x", 32)?)
        }
        _ if algorithm.is_rsa() && is("kty", "RSA") => {
            algorithm.rsa_key(&number(jwk, "n")?, &number(jwk, "e")?)
        }
        _ => return Ok(None),
    };
    key.map(Some)
}

/// An uncompressed point.
fn point(jwk: &Object<'_>, bytes: usize) -> Result<Vec<u8>, &'static str> {
    let x = coordinate(jwk, "x", bytes)?;
    let y = coordinate(jwk, "y", bytes)?;
    Ok([&[4][..], &x, &y].concat())
}

fn coordinate(jwk: &Object<'_>, name: &str, bytes: usize) -> Result<Vec<u8>, &'static str> {
    let coordinate = number(jwk, name)?;
    if coordinate.len() != bytes {
        return Err("its point has the wrong length");
    }
    Ok(coordinate)
}

fn number(jwk: &Object<'_>, name: &str) -> Result<Vec<u8>, &'static str> {
    let text = jwk.get(name).and_then(Json::as_text);
    let text = text.ok_or("it lacks a number of its key")?;
    base64url::decode(text).map_err(|_| "a number of its key is not base64url")
}
