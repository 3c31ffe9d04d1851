//! `[limits]`: bounds that hold for all callers together or for an address.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits that no role can lift.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Mints a minute over all callers; absent: no limit.
    #[schemars(range(min = 1))]
    pub global_per_minute: Option<u32>,
    /// Requests a minute from one address, or one IPv6 network of 64 bits, counted
    /// before authentication; absent: 600, and none for this machine's own addresses.
    #[schemars(range(min = 1))]
    pub per_address_per_minute: Option<u32>,
    /// Wrong API keys a minute from one address, and for one key id.
    #[schemars(range(min = 1))]
    pub bad_keys_per_minute: u32,
    /// Wrong tokens and session cookies a minute from one address; absent: 60, and
    /// none for this machine's own addresses.
    #[schemars(range(min = 1))]
    pub bad_credentials_per_minute: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            global_per_minute: None,
            per_address_per_minute: None,
            bad_keys_per_minute: 10,
            bad_credentials_per_minute: None,
        }
    }
}
