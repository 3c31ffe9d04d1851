//! The sections of the file, one plain struct each.

mod alerts;
mod audit;
mod auth;
mod grants;
mod limits;
mod log;
mod mint;
mod price;
mod profile;
mod role;
mod scan;
mod server;
mod store;
mod traces;
mod upstream;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use alerts::{AlertKind, AlertRule, AlertSeverity, Alerts, Webhook, WebhookFormat};
pub use audit::{Audit, TrailPrimary};
pub use auth::{Algorithm, Auth, Claims, CookieFormat, Jwt, KeySet, OneOrMany, SessionCookie};
pub use grants::Grants;
pub use limits::Limits;
pub use log::{Log, LogFormat};
pub use mint::Mint;
pub use price::Price;
pub use profile::{Kind, Mode, OnDrift, Profile, SessionTemplate};
pub use role::{Budget, RateLimits, Role};
pub use scan::Scan;
pub use server::{Server, Tls};
pub use store::{Postgres, Store, StoreAddress};
pub use traces::{TraceSampler, Traces};
pub use upstream::{Breaker, Upstream, UpstreamKind};

/// Everything an operator can set.
///
/// A value comes from [`crate::load()`], which has checked it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Hallpass configuration")]
pub struct Config {
    /// Where Hallpass listens and how it treats connections.
    pub server: Server,
    /// Where state lives.
    pub store: Store,
    /// OpenAI, or compatible hosts.
    pub upstream: Vec<Upstream>,
    /// How client secrets are obtained.
    pub mint: Mint,
    /// Who may call.
    pub auth: Auth,
    /// What a session is made of, by name.
    pub profiles: BTreeMap<String, Profile>,
    /// What callers may do, by role.
    pub roles: BTreeMap<String, Role>,
    /// Prices by model, over those Hallpass ships.
    pub prices: BTreeMap<String, Price>,
    /// Bounds for all callers together.
    pub limits: Limits,
    /// The registry of grants.
    pub grants: Grants,
    /// The audit trail.
    pub audit: Audit,
    /// What an operator is told of by itself.
    pub alerts: Alerts,
    /// Looking for leaked keys in what the app's pages serve.
    pub scan: Scan,
    /// What is logged.
    pub log: Log,
    /// OpenTelemetry traces.
    pub traces: Traces,
}

impl Config {
    /// Whether the file configures a JWT issuer or a session cookie.
    ///
    /// Where it does not, only API keys of the store can authenticate anyone.
    pub fn has_configured_auth(&self) -> bool {
        !self.auth.jwt.is_empty() || !self.auth.session_cookie.is_empty()
    }
}
