//! `[auth]`: who may call.

mod jwt;
mod session_cookie;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use jwt::{Algorithm, Claims, Jwt, KeySet, OneOrMany};
pub use session_cookie::{CookieFormat, SessionCookie};

/// The schemes a caller may authenticate with.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Role of people whose credential names none; absent: such callers may do nothing.
    pub default_role: Option<String>,
    /// Whether API keys of the store are accepted.
    pub api_keys: bool,
    /// Issuers of bearer tokens.
    pub jwt: Vec<Jwt>,
    /// Session cookies of the app's own login.
    pub session_cookie: Vec<SessionCookie>,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            default_role: None,
            api_keys: true,
            jwt: Vec::new(),
            session_cookie: Vec::new(),
        }
    }
}
