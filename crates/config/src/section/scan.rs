//! `[scan]`: looking for leaked keys in what the app's pages serve.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// Which pages are scanned, and how often.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scan {
    /// Pages that are scanned with everything they load from their own origin;
    /// none: nothing is.
    #[schemars(with = "Vec<String>")]
    pub origins: Vec<Url>,
    /// Seconds between two scans.
    #[schemars(range(min = 1, max = 604_800))]
    pub every_seconds: u64,
    /// Whether a Hallpass key or pass that is found is revoked at once.
    pub revoke_finds: bool,
    /// Keyed hashes of further keys to look for; made by `hallpass scan fingerprint`.
    pub fingerprints_file: Option<PathBuf>,
    /// Whether pages may be at private or loopback addresses, then with plain HTTP too.
    pub allow_private_addresses: bool,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            every_seconds: 6 * 3600,
            revoke_finds: false,
            fingerprints_file: None,
            allow_private_addresses: false,
        }
    }
}
