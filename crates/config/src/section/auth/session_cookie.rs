//! `[[auth.session_cookie]]`: the encrypted session of NextAuth v4 or Auth.js v5.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::hidden;

/// One session cookie of the app, and the secrets that open it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionCookie {
    /// Name in logs and the audit trail.
    #[serde(default = "default_name")]
    #[schemars(length(min = 1))]
    pub name: String,
    /// Which library made the cookie.
    pub format: CookieFormat,
    /// Name of the cookie; absent: the library's own without `__Secure-`.
    #[serde(default)]
    #[schemars(extend("format" = "cookie-name"))]
    pub cookie: Option<String>,
    /// The app's secrets, the current one first. After loading also those of `secrets_file`.
    #[serde(default, serialize_with = "hidden::secrets")]
    #[schemars(with = "Vec<String>", extend("writeOnly" = true))]
    pub secrets: Vec<SecretString>,
    /// File with one secret a line; every byte counts, a last newline too.
    #[serde(default)]
    pub secrets_file: Option<PathBuf>,
    /// Seconds of clock difference that are forgiven.
    #[serde(default = "default_leeway")]
    #[schemars(range(min = 0, max = 120))]
    pub leeway_seconds: u64,
    /// Claim with the roles; absent: sessions carry none.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub roles: Option<String>,
}

impl SessionCookie {
    /// The cookie's name, the library's default where none is configured.
    pub fn cookie_name(&self) -> &str {
        self.cookie.as_deref().unwrap_or(match self.format {
            CookieFormat::NextAuthV4 => "next-auth.session-token",
            CookieFormat::AuthjsV5 => "authjs.session-token",
        })
    }
}

/// The library and version that made a session cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum CookieFormat {
    /// NextAuth 4.
    #[serde(rename = "next-auth-v4")]
    NextAuthV4,
    /// Auth.js 5, also known as next-auth 5.
    #[serde(rename = "authjs-v5")]
    AuthjsV5,
}

fn default_name() -> String {
    "session".to_owned()
}

fn default_leeway() -> u64 {
    15
}
