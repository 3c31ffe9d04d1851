//! Session cookies of NextAuth v4 and Auth.js v5.
//!
//! The cookie holds an encrypted token made with the app's own secret; who has
//! the secret can read it and nobody else can make one.

mod assemble;
mod content;
mod jwe;
mod keys;
mod seal;

use std::time::Duration;

use hallpass_core::{
    Timestamp,
    caller::{Caller, Scheme},
    ids::CredentialId,
};
use secrecy::SecretString;

pub use content::{ContentKey, Encryption};
pub use seal::{SealError, seal_next_auth_v4};

use crate::{
    ClaimNames, Reason, SettingsError,
    claims::{Leeway, Origin, Times},
    json::Object,
};

/// Which library made the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::EnumString)]
pub enum CookieFormat {
    /// `next-auth` 4.
    #[strum(serialize = "next-auth-v4")]
    NextAuthV4,
    /// `next-auth` 5 and `@auth/core`.
    #[strum(serialize = "authjs-v5")]
    AuthJsV5,
}

/// One session cookie that is accepted.
pub struct CookieSettings {
    /// The operator's name of it: the credential id of its callers.
    pub name: String,
    /// Which library made the session.
    pub format: CookieFormat,
    /// The cookie's exact name; `__Secure-` belongs to it where the app is on https.
    pub cookie: String,
    /// The app's secrets as they stand; the first is current.
    pub secrets: Vec<SecretString>,
    /// The tolerance between the clocks, at most 120 seconds.
    pub leeway: Duration,
    /// The names of roles, session id and tenant; the subject is always `sub`.
    pub claims: ClaimNames,
}

impl CookieSettings {
    /// Settings with the defaults: 15 seconds of leeway, no roles.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        format: CookieFormat,
        cookie: impl Into<String>,
        secrets: Vec<SecretString>,
    ) -> Self {
        Self {
            name: name.into(),
            format,
            cookie: cookie.into(),
            secrets,
            leeway: Duration::from_secs(15),
            claims: ClaimNames::default(),
        }
    }
}

/// Verifies one session cookie.
pub struct SessionCookies {
    name: CredentialId,
    cookie: String,
    keys: keys::SessionKeys,
    leeway: Leeway,
    claims: ClaimNames,
}

impl SessionCookies {
    /// Takes the configured cookie and derives its keys.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings can't be used. Whether a secret is
    /// strong enough is for [`weakness`](crate::weakness) to say.
    pub fn new(settings: CookieSettings) -> Result<Self, SettingsError> {
        if settings.secrets.is_empty() {
            return Err(SettingsError::NoSecret);
        }
        let graphic = |byte: u8| byte.is_ascii_graphic() && !b";=,\"".contains(&byte);
        if settings.cookie.is_empty() || !settings.cookie.bytes().all(graphic) {
            return Err(SettingsError::CookieName);
        }
        let keys = keys::SessionKeys::derive(settings.format, &settings.cookie, &settings.secrets);
        Ok(Self {
            name: CredentialId::new(settings.name)?,
            keys: keys.ok_or(SettingsError::NoSecret)?,
            cookie: settings.cookie,
            leeway: Leeway::new(settings.leeway)?,
            // An e-mail address can change hands, and look like another.
            claims: ClaimNames {
                subject: "sub".to_owned(),
                ..settings.claims
            },
        })
    }

    /// The configured name.
    pub(crate) const fn name(&self) -> &CredentialId {
        &self.name
    }

    /// Verifies the session among these cookies; none when it is not there.
    pub(crate) fn verify(
        &self,
        cookies: &[(&str, &str)],
        now: Timestamp,
    ) -> Option<Result<Caller, Reason>> {
        let token = assemble::assemble(cookies, &self.cookie).transpose()?;
        Some(token.and_then(|token| self.open(&token, now)))
    }

    fn open(&self, token: &str, now: Timestamp) -> Result<Caller, Reason> {
        if is_opaque(token) {
            return Err(Reason::OpaqueSession);
        }
        let payload = self.keys.open(&jwe::SealedToken::split(token)?)?;
        let claims = Object::read(&payload)?;
        let times = Times::read(&claims)?;
        times.check(now, self.leeway)?;
        let origin = Origin {
            scheme: Scheme::SessionCookie,
            credential: &self.name,
            names: &self.claims,
        };
        origin.caller(&claims, &times)
    }
}

/// Whether the cookie holds an id of a session kept in a database.
fn is_opaque(token: &str) -> bool {
    let id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    token.len() >= 16 && token.bytes().all(id)
}
