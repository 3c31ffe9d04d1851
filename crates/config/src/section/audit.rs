//! `[audit]`: the trail.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the trail is written and how long it is kept.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Folder of the segments, under `server.data_dir` unless absolute.
    pub dir: PathBuf,
    /// Days a segment is kept.
    #[schemars(range(min = 1, max = 36_500))]
    pub retention_days: u32,
    /// Bytes after which a new segment begins.
    #[schemars(range(min = 65_536))]
    pub segment_max_bytes: u64,
    /// Microseconds to wait for more records before one sync; 0: never wait.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub gather_window_us: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("audit"),
            retention_days: 365,
            segment_max_bytes: 64 * 1024 * 1024,
            gather_window_us: 0,
        }
    }
}
