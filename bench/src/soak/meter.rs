//! Memory, descriptors and tasks of the server, again and again.
use std::{fmt, fs, net::SocketAddr, time::Duration};

use anyhow::{Context, Result};

use crate::ask;

/// Samples of a whole run, at most one a second.
const SAMPLES: u32 = 120;

/// What the server held at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// Since the load began.
    pub(super) at: Duration,
    /// Mints asked for by then.
    pub(super) mints: u64,
    /// Resident memory, in MB.
    pub(super) memory_mb: f64,
    /// Open descriptors.
    pub(super) descriptors: u64,
    /// Tasks of the runtime that have not ended.
    pub(super) tasks: u64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            memory_mb,
            descriptors,
            tasks,
            ..
        } = self;
        write!(
            f,
            "{memory_mb:.1} MB, {descriptors} descriptors, {tasks} tasks"
        )
    }
}

/// Takes the samples of one process.
pub(super) struct Meter {
    process: u32,
    admin: SocketAddr,
    every: Duration,
    pub(super) samples: Vec<Sample>,
}

impl Meter {
    pub(super) fn new(process: u32, admin: SocketAddr, time: Duration) -> Self {
        Self {
            process,
            admin,
            every: (time / SAMPLES).max(Duration::from_secs(1)),
            samples: Vec::new(),
        }
    }

    /// The time between two samples.
    pub(super) const fn every(&self) -> Duration {
        self.every
    }

    /// The last sample.
    pub(super) fn last(&self) -> Sample {
        self.samples.last().copied().unwrap_or_default()
    }

    /// Takes one more.
    pub(super) async fn sample(&mut self, at: Duration, mints: u64) -> Result<()> {
        let folder = format!("/proc/{}", self.process);
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let page = ask::text(self.admin, "GET", "/metrics", "").await?;
        self.samples.push(Sample {
            at,
            mints,
            memory_mb: resident(&status).context("no resident memory")? as f64 / 1e6,
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count() as u64,
            tasks: tasks(&page).context("no count of tasks")?,
        });
        Ok(())
    }
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn tasks(page: &str) -> Option<u64> {
    let name = "hallpass_tasks_alive ";
    let line = page.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_where_they_are_told() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t  2 kB\n"), Some(2048));
        assert_eq!(tasks("# TYPE x\nhallpass_tasks_alive 31\n"), Some(31));
        assert_eq!(tasks("hallpass_tasks 31\n"), None);
    }
}
