//! Credentials in, callers out: API keys, JWTs, session cookies.
//!
//! A [`Chain`] asks each scheme in turn and answers with one of three results:
//! nothing was presented, a caller, or a refusal with a stable [`Reason`]. A
//! present but bad credential ends the chain.
//!
//! Nothing here reads the clock, the network or a file: the time is a
//! parameter, keys from an address come through a [`KeySource`].

mod api_key;
mod base64url;
mod chain;
mod claims;
pub mod cookies;
mod json;
pub mod jwt;
mod network;
mod reason;
mod secret;
pub mod session;
mod settings;

pub use api_key::ApiKeys;
pub use chain::Chain;
pub use jwt::{
    Algorithm, FetchError, JwtKeys, JwtSettings, JwtVerifier, KeySource, RemoteKeys, RemoteSettings,
};
pub use network::is_network;
pub use reason::Reason;
pub use secret::{Weakness, weakness};
pub use session::{CookieFormat, CookieSettings, SessionCookies};
pub use settings::{ClaimNames, SettingsError};
