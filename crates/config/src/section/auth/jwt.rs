//! `[[auth.jwt]]`: one issuer of bearer tokens.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::hidden;

/// One issuer, its keys, and how its claims are read.
///
/// Keys come from exactly one of `jwks_file`, `jwks_url`, `discovery`, `jwks`,
/// `public_key`, `public_key_file`, `secret`, `secret_file`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Name in logs and the audit trail.
    #[serde(default = "default_name")]
    #[schemars(length(min = 1))]
    pub name: String,
    /// Required value of `iss`, compared exactly.
    #[schemars(length(min = 1))]
    pub issuer: String,
    /// Accepted values of `aud`: one, or a list.
    pub audience: OneOrMany,
    /// Accepted signature algorithms: `HS…` with a secret, others with public keys.
    #[schemars(length(min = 1))]
    pub algorithms: Vec<Algorithm>,
    /// File with a JSON Web Key Set.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Address of a JSON Web Key Set.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "url"))]
    pub jwks_url: Option<Url>,
    /// Whether to find the key set through the issuer's OpenID discovery document.
    #[serde(default)]
    pub discovery: bool,
    /// A JSON Web Key Set written here: `{ keys = [ … ] }`.
    #[serde(default)]
    pub jwks: Option<KeySet>,
    /// One public key in PEM.
    #[serde(default)]
    pub public_key: Option<String>,
    /// File with one public key in PEM.
    #[serde(default)]
    pub public_key_file: Option<PathBuf>,
    /// Shared secret of `HS…`. After loading it also holds what `secret_file` held.
    #[serde(default, serialize_with = "hidden::secret")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub secret: Option<SecretString>,
    /// File with the shared secret; every byte counts, the last newline too.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Seconds of clock difference that are forgiven.
    #[serde(default = "default_leeway")]
    #[schemars(range(min = 0, max = 120))]
    pub leeway_seconds: u64,
    /// Longest time between `iat` and `exp` in seconds; absent: no bound.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_lifetime_seconds: Option<u64>,
    /// Which claims say who the caller is.
    #[serde(default)]
    pub claims: Claims,
    /// Whether the key set may be fetched from a private or loopback address.
    #[serde(default)]
    pub allow_private_addresses: bool,
}

/// Names of the claims that describe the caller.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Claims {
    /// Claim with the user's id.
    #[schemars(length(min = 1))]
    pub subject: String,
    /// Claim with the roles; absent: tokens carry none.
    #[schemars(length(min = 1))]
    pub roles: Option<String>,
    /// Claim with the app's session id; absent: tokens carry none.
    #[schemars(length(min = 1))]
    pub session_id: Option<String>,
    /// Claim with the tenant; absent: tokens carry none.
    #[schemars(length(min = 1))]
    pub tenant: Option<String>,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            subject: "sub".to_owned(),
            roles: None,
            session_id: None,
            tenant: None,
        }
    }
}

/// A signature algorithm of RFC 7518 or RFC 8037.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the names are the registered ones")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
    Ed25519,
}

impl Algorithm {
    /// Whether it is an HMAC, whose key both sides share.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
            Self::Ed25519 => "Ed25519",
        }
    }
}

/// One text, or a list of them.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One text.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The texts, however they were written.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A JSON Web Key Set as written; checked where it is used.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct KeySet(
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub  serde_json::Map<String, serde_json::Value>,
);

fn default_name() -> String {
    "jwt".to_owned()
}

fn default_leeway() -> u64 {
    30
}
