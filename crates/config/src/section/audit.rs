//! `[audit]`: the trail.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the trail is written, how long it is kept, and who else gets it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Where a record is durable before anyone is told: in the files of `dir`, or
    /// in the database of `store.durable`, where no disk outlasts the server.
    pub primary: TrailPrimary,
    /// Folder of the segments, under `server.data_dir` unless absolute.
    #[schemars(length(min = 1))]
    pub dir: PathBuf,
    /// Days a segment is kept, here or in the archive.
    #[schemars(range(min = 1, max = 36_500))]
    pub retention_days: u32,
    /// Days a segment stays in `dir` once it is in the archive.
    #[schemars(range(min = 1, max = 36_500))]
    pub hot_days: u32,
    /// Where sealed segments are put: a folder, `s3://…`, `gs://…` or `az://…`.
    pub archive: Option<String>,
    /// Bytes after which a new segment begins.
    #[schemars(range(min = 65_536))]
    pub segment_max_bytes: u64,
    /// Hours after which a new segment begins.
    #[schemars(range(min = 1, max = 8_760))]
    pub segment_max_hours: u32,
    /// Microseconds to wait for more records before one sync; 0: never wait.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub gather_window_us: u64,
    /// Seconds after which new records are signed.
    #[schemars(range(min = 1, max = 86_400))]
    pub checkpoint_seconds: u32,
    /// New records that are signed before the seconds are over.
    #[schemars(range(min = 1))]
    pub checkpoint_records: u64,
    /// Second place of the checkpoints: `stdout`, `file:/path` or `https://…`.
    pub checkpoint_to: Option<String>,
    /// Who else gets every record: `stdout`, or an OTLP address `https://…/v1/logs`.
    pub ship_to: Vec<String>,
}

/// Where the trail is at home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrailPrimary {
    /// In files, synced to this machine's disk.
    #[default]
    File,
    /// In PostgreSQL; `dir` is a working copy that begins anew at each start.
    Postgres,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            primary: TrailPrimary::default(),
            dir: PathBuf::from("audit"),
            retention_days: 365,
            hot_days: 90,
            archive: None,
            segment_max_bytes: 64 * 1024 * 1024,
            segment_max_hours: 24,
            gather_window_us: 1000,
            checkpoint_seconds: 10,
            checkpoint_records: 10_000,
            checkpoint_to: None,
            ship_to: Vec::new(),
        }
    }
}
