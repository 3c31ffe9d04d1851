//! The machine: which cores to use, and what to say of it in the report.
use std::fs;

use anyhow::Result;
use rustix::{
    process::{Resource, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};
use serde::Serialize;

/// What the figures depend on besides the servers.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
}

/// The server's core; the other is ours. None where there is only one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cores {
    pub(crate) server: Option<usize>,
    load: Option<usize>,
}

impl Machine {
    /// Describes this machine.
    pub(crate) fn here() -> Result<Self> {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        Ok(Self {
            processor: model(&processors).to_owned(),
            cores: allowed()?.len(),
            kernel: kernel.trim().to_owned(),
        })
    }
}

fn model(processors: &str) -> &str {
    processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, model)| model.trim())
}

impl Cores {
    /// Divides the cores this process may use.
    pub(crate) fn divide() -> Result<Self> {
        Ok(Self::of(&allowed()?))
    }

    fn of(allowed: &[usize]) -> Self {
        match allowed {
            [server, load, ..] => Self {
                server: Some(*server),
                load: Some(*load),
            },
            _ => Self {
                server: None,
                load: None,
            },
        }
    }

    /// Moves load generator and upstream, which are this thread, to their core.
    pub(crate) fn pin_load(self) -> Result<()> {
        let Some(load) = self.load else {
            return Ok(());
        };
        let mut set = CpuSet::new();
        set.set(load);
        Ok(sched_setaffinity(None, &set)?)
    }
}

fn allowed() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|core| set.is_set(*core))
        .collect())
}

/// Lets this process and the servers it starts open enough connections.
pub(crate) fn raise_open_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_cores_are_used() {
        let cores = Cores::of(&[3, 5, 6]);

        assert_eq!((cores.server, cores.load), (Some(3), Some(5)));
    }

    #[test]
    fn a_single_core_is_shared() {
        assert_eq!(Cores::of(&[0]).server, None);
    }

    #[test]
    fn the_processor_is_named() {
        assert_eq!(
            model("processor: 0\nmodel name\t: Fast 3000\n"),
            "Fast 3000"
        );
        assert_eq!(model(""), "unknown");
    }
}
