//! What the disk under the audit trail can do by itself.
use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;

const RECORD: [u8; 400] = [b'x'; 400];
/// `TMPFS_MAGIC` of Linux.
const TMPFS: i64 = 0x0102_1994;

/// Appends with a sync each, one after another.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Syncs {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
}

/// Appends records of 400 bytes, each synced, for the given time.
pub(crate) fn measure(folder: &Path, time: Duration) -> Result<Syncs> {
    refuse_memory(folder)?;
    let path = folder.join("fdatasync");
    let mut file = File::create(&path)?;
    let mut latencies = Histogram::<u64>::new(3)?;
    let begun = Instant::now();
    while begun.elapsed() < time {
        let before = Instant::now();
        file.write_all(&RECORD)?;
        file.sync_data()?;
        latencies.record(u64::try_from(before.elapsed().as_nanos())?)?;
    }
    let elapsed = begun.elapsed();
    std::fs::remove_file(path)?;
    Ok(Syncs {
        per_second: latencies.len() as f64 / elapsed.as_secs_f64(),
        p50_us: latencies.value_at_quantile(0.5) as f64 / 1e3,
    })
}

/// A trail in memory would make every sync free and the figures a lie.
fn refuse_memory(folder: &Path) -> Result<()> {
    let kind = rustix::fs::statfs(folder)?.f_type;
    ensure!(
        kind != TMPFS,
        "{} is in memory (tmpfs); set CARGO_TARGET_DIR to a folder on a disk",
        folder.display()
    );
    Ok(())
}
