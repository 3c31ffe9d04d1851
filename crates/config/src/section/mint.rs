//! `[mint]`: how client secrets are obtained, whichever upstream gives them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds on mints under way and on retries.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mint {
    /// Mints under way at once; more are refused as `overloaded`.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_in_flight: usize,
    /// Milliseconds a mint may wait for its place before it is refused.
    #[schemars(range(min = 0, max = 1000))]
    pub max_wait_ms: u64,
    /// Retries in a hundred mints; 0: nothing is tried again.
    #[schemars(range(min = 0, max = 100))]
    pub retry_budget_percent: u32,
    /// Seconds an `Idempotency-Key` gives the same answer again.
    #[schemars(range(min = 1, max = 60))]
    pub idempotency_seconds: u64,
}

impl Default for Mint {
    fn default() -> Self {
        Self {
            max_in_flight: 512,
            max_wait_ms: 100,
            retry_budget_percent: 10,
            idempotency_seconds: 30,
        }
    }
}
