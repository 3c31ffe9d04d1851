//! `[roles.<name>]`: what a caller may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::profile::{Kind, Mode};

/// Permissions and bounds of the callers that hold a role.
///
/// A role that says nothing permits nothing.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Role {
    /// Names of the profiles it may use; `*`: all.
    pub profiles: Vec<String>,
    /// What it may do, such as `grants:create` or `grants:*`.
    pub permissions: Vec<String>,
    /// Modes it may use; absent: those of the profile.
    pub modes: Option<Vec<Mode>>,
    /// Session types it may use; absent: both.
    pub kinds: Option<Vec<Kind>>,
    /// Longest life of a client secret it may ask for; absent: 7200.
    #[schemars(range(min = 10, max = 7200))]
    pub max_expires_after_seconds: Option<u32>,
    /// Longest live session in seconds; absent: the profile's.
    #[schemars(range(min = 1, max = 3600))]
    pub max_session_seconds: Option<u32>,
    /// Limits of each caller with this role.
    pub limits: RateLimits,
    /// What each caller with this role may spend.
    pub budget: Budget,
}

impl Role {
    /// Whether it may use the profile of this name.
    pub fn allows_profile(&self, name: &str) -> bool {
        self.profiles
            .iter()
            .any(|allowed| allowed == "*" || allowed == name)
    }
}

/// Numbers of requests and of things held at once; absent: no limit.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Requests a minute.
    #[schemars(range(min = 1))]
    pub per_minute: Option<u32>,
    /// Requests an hour.
    #[schemars(range(min = 1))]
    pub per_hour: Option<u32>,
    /// Requests a day.
    #[schemars(range(min = 1))]
    pub per_day: Option<u32>,
    /// Live sessions at once, in the modes in which Hallpass sees them (relay and
    /// call); in direct mode only `concurrent_grants` can hold.
    #[schemars(range(min = 1))]
    pub concurrent_sessions: Option<u32>,
    /// Unexpired grants at once; a grant and its refreshes are one.
    #[schemars(range(min = 1))]
    pub concurrent_grants: Option<u32>,
}

/// Money and time of live sessions; absent: no bound. At 80 % a session is
/// warned, at 100 % it ends and new ones are refused.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// United States dollars a session.
    #[schemars(range(min = 0.0, max = 1_000_000_000.0))]
    pub usd_per_session: Option<f64>,
    /// United States dollars of one caller a day.
    #[schemars(range(min = 0.0, max = 1_000_000_000.0))]
    pub usd_per_day: Option<f64>,
    /// Minutes a session.
    #[schemars(range(min = 1))]
    pub minutes_per_session: Option<u32>,
    /// Minutes of one caller a day.
    #[schemars(range(min = 1))]
    pub minutes_per_day: Option<u32>,
    /// United States dollars of all callers with this role together a day.
    #[schemars(range(min = 0.0, max = 1_000_000_000.0))]
    pub role_usd_per_day: Option<f64>,
    /// Minutes of all callers with this role together a day.
    #[schemars(range(min = 1))]
    pub role_minutes_per_day: Option<u32>,
}
