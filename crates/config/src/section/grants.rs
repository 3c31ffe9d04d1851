//! `[grants]`: how long the registry remembers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The registry of grants.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// Days the registry keeps a grant after it was made; the trail has its own time.
    #[schemars(range(min = 1, max = 3650))]
    pub retention_days: u32,
}

impl Default for Grants {
    fn default() -> Self {
        Self { retention_days: 90 }
    }
}
