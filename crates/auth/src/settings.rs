//! What the configuration says about claims, and what it may not say.

/// The names of the claims a caller is made of.
///
/// A name is looked for as it stands first, then as a dotted path:
/// `realm_access.roles` finds `roles` within `realm_access`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The app's id of the user.
    pub subject: String,
    /// An array of role names; anything else gives no role.
    pub roles: Option<String>,
    /// The interview the credential is bound to.
    pub session_id: Option<String>,
    /// The tenant the user belongs to.
    pub tenant: Option<String>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            subject: "sub".to_owned(),
            roles: None,
            session_id: None,
            tenant: None,
        }
    }
}

/// Why settings can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The name of the scheme is not an identifier.
    #[error("the name {0}")]
    Name(#[from] hallpass_core::ids::InvalidId),
    /// A JWT without an issuer or audience to compare with.
    #[error("{0} must be set: a token that names another must be refused")]
    Missing(&'static str),
    /// An algorithm the keys can't be used with.
    #[error(
        "algorithms must name one that the key can be used with; a secret takes exactly one of HS256, HS384 and HS512, every other key none of them"
    )]
    Algorithms,
    /// A secret shorter than its algorithm's hash.
    #[error("the secret must have at least {0} bytes")]
    SecretTooShort(usize),
    /// A public key that can't be read or is too weak.
    #[error("the public key can't be used: {0}")]
    PublicKey(&'static str),
    /// A JWKS document that can't be used.
    #[error("the JWKS can't be used: {0}")]
    Jwks(#[from] crate::jwt::JwksError),
    /// More tolerance than a clock can need.
    #[error("the leeway must be at most 120 seconds")]
    Leeway,
    /// A session cookie without a secret.
    #[error("a session cookie needs at least one secret")]
    NoSecret,
    /// The cookie's name can't be one.
    #[error("the cookie's name is empty or has a character no name has")]
    CookieName,
}
