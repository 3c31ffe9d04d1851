//! JSON Web Tokens: signed, compact, and read once.

mod algorithm;
mod cache;
mod compact;
mod discovery;
mod issuer;
mod jwks;
mod key;
mod remote;
mod sign;
mod verifier;

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;

pub use algorithm::Algorithm;
pub use compact::MAX_TOKEN_BYTES;
pub use discovery::{DiscoveryError, discovery_address, jwks_uri};
pub use jwks::{DroppedKey, JwksError, KeySet, MAX_JWKS_BYTES, MAX_JWKS_KEYS};
pub use remote::{FetchError, KeySource, RefreshError, RemoteKeys, RemoteSettings};
pub use sign::{SignError, sign_hs256};
pub use verifier::JwtVerifier;

use crate::ClaimNames;

/// Where the keys of an issuer come from.
pub enum JwtKeys {
    /// A secret shared with the issuer; takes exactly one HS algorithm.
    Secret(SecretString),
    /// One public key as PEM (`BEGIN PUBLIC KEY`).
    Pem(String),
    /// A JWKS document.
    Jwks(String),
    /// A JWKS document that is fetched and renewed.
    Remote(RemoteSettings),
}

/// One issuer whose tokens are accepted.
pub struct JwtSettings {
    /// The operator's name of it: the credential id of its callers.
    pub name: String,
    /// What `iss` must be equal to.
    pub issuer: String,
    /// `aud` must name one of these.
    pub audiences: Vec<String>,
    /// Which algorithms its keys may have; the first that fits a key that
    /// names none is that key's.
    pub algorithms: Vec<Algorithm>,
    /// Its keys.
    pub keys: JwtKeys,
    /// The tolerance between the clocks, at most 120 seconds.
    pub leeway: Duration,
    /// The longest time from `iat` (or now) to `exp`.
    pub max_lifetime: Option<Duration>,
    /// The names of its claims.
    pub claims: ClaimNames,
}

impl JwtSettings {
    /// Settings with the defaults: 30 seconds of leeway, `sub`, no roles.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
        algorithms: impl Into<Vec<Algorithm>>,
        keys: JwtKeys,
    ) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            algorithms: algorithms.into(),
            keys,
            leeway: Duration::from_secs(30),
            max_lifetime: None,
            claims: ClaimNames::default(),
        }
    }
}

/// A key set shared by those who verify with it now.
type SharedKeys = Arc<KeySet>;
