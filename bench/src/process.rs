//! A server's process: pinned to a core, watched through `/proc`, ended.
use std::{
    collections::HashMap,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// One that counts its own branches writes them at its end, and is slow.
const STOP_WITHIN: Duration = Duration::from_secs(30);
const STOP_POLL: Duration = Duration::from_millis(20);

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts a command on one core, its output going to a file.
    pub(crate) fn start(command: &Command, core: Option<usize>, log: &Path) -> Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = pinned(command, core)
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child })
    }

    /// Fails when the process has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the server ended: {status}"),
        }
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time and memory of the process and its descendants.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of_tree(self.child.id())
    }

    /// Asks it to end, and ends it when it does not.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        let begun = Instant::now();
        while begun.elapsed() < STOP_WITHIN {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(STOP_POLL);
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `stop` both fail, and there is nobody left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command under `taskset`, which becomes the command: same process id.
///
/// It gets no environment but its own and the search path: a key or a setting
/// of the person who measures must not reach a server that is measured.
fn pinned(command: &Command, core: Option<usize>) -> Command {
    let mut pinned = match core {
        Some(core) => {
            let mut taskset = Command::new("taskset");
            taskset.args(["--cpu-list", &core.to_string()]);
            taskset.arg(command.get_program());
            taskset
        }
        None => Command::new(command.get_program()),
    };
    pinned.args(command.get_args()).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        pinned.env("PATH", path);
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            pinned.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        pinned.current_dir(folder);
    }
    pinned
}

/// What a tree of processes used since it began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Largest resident memory, summed over the processes.
    pub(crate) peak_memory_bytes: u64,
    /// Resident memory now, summed over the processes.
    pub(crate) memory_bytes: u64,
}

impl Usage {
    /// Of this process alone, without the servers it started.
    pub(crate) fn of_self() -> Result<Self> {
        let own = std::process::id();
        let stat = stats()?.remove(&own).context("/proc does not show us")?;
        Self::of_processes(&[(own, stat)])
    }

    fn of_tree(root: u32) -> Result<Self> {
        Self::of_processes(&tree(root, &stats()?))
    }

    fn of_processes(processes: &[(u32, Stat)]) -> Result<Self> {
        let ticks: u64 = processes.iter().map(|(_, stat)| stat.ticks).sum();
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        Ok(Self {
            cpu: Duration::from_secs_f64(ticks as f64 / per_second),
            peak_memory_bytes: processes
                .iter()
                .map(|(pid, _)| memory(*pid, "VmHWM:"))
                .sum(),
            memory_bytes: processes
                .iter()
                .map(|(pid, _)| memory(*pid, "VmRSS:"))
                .sum(),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    parent: u32,
    /// Own time and that of children waited for.
    ticks: u64,
}

fn stats() -> Result<HashMap<u32, Stat>> {
    let mut stats = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end while we look at the list.
        let Ok(line) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            continue;
        };
        stats.extend(parse_stat(&line).map(|stat| (pid, stat)));
    }
    Ok(stats)
}

/// Reads `/proc/PID/stat`; the name in parentheses may hold anything.
fn parse_stat(line: &str) -> Option<Stat> {
    let (_, fields) = line.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let times = fields.get(11..15)?;
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        ticks: times
            .iter()
            .filter_map(|time| time.parse::<u64>().ok())
            .sum(),
    })
}

/// The process itself and all below it.
fn tree(root: u32, stats: &HashMap<u32, Stat>) -> Vec<(u32, Stat)> {
    let mut found: Vec<(u32, Stat)> = stats
        .get(&root)
        .map(|stat| (root, *stat))
        .into_iter()
        .collect();
    let mut at = 0;
    while let Some(&(parent, _)) = found.get(at) {
        let children = stats.iter().filter(|(_, stat)| stat.parent == parent);
        found.extend(children.map(|(pid, stat)| (*pid, *stat)));
        at += 1;
    }
    found
}

fn memory(pid: u32, row: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    parse_memory(&status, row).unwrap_or(0)
}

fn parse_memory(status: &str, row: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(row))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_past_an_odd_name() {
        let line = "42 (a) b (c) S 7 1 1 0 -1 4 0 0 0 0 30 12 5 3 20 0 1 0 9";

        assert_eq!(
            parse_stat(line),
            Some(Stat {
                parent: 7,
                ticks: 50
            })
        );
        assert_eq!(parse_stat("42 (cut"), None);
    }

    #[test]
    fn descendants_count_and_strangers_do_not() {
        let stat = |parent| Stat { parent, ticks: 1 };
        let stats = HashMap::from([(1, stat(0)), (2, stat(1)), (3, stat(2)), (4, stat(0))]);

        let mut found: Vec<u32> = tree(1, &stats).into_iter().map(|(pid, _)| pid).collect();

        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn peak_memory_is_read_in_bytes() {
        assert_eq!(
            parse_memory("Name:\tx\nVmHWM:\t    2048 kB\n", "VmHWM:"),
            Some(2 * 1024 * 1024)
        );
        assert_eq!(parse_memory("Name:\tx\n", "VmHWM:"), None);
    }

    #[test]
    fn a_server_sees_its_own_settings_and_none_of_ours() {
        let folder = tempfile::tempdir().expect("a temp folder");
        let log = folder.path().join("log");
        let mut command = Command::new("env");
        command.env("OPENAI_API_KEY", "its own");

        let mut server = Server::start(&command, None, &log).expect("started");

        server.child.wait().expect("ended");
        let said = fs::read_to_string(log).expect("its output");
        assert!(said.contains("OPENAI_API_KEY=its own"), "{said}");
        assert!(!said.contains("CARGO_MANIFEST_DIR"), "{said}");
    }

    #[test]
    fn a_server_is_started_watched_and_stopped() {
        let folder = tempfile::tempdir().expect("a temp folder");
        let mut command = Command::new("sleep");
        command.arg("60");

        let mut server =
            Server::start(&command, None, &folder.path().join("log")).expect("started");

        server.check_alive().expect("alive");
        assert!(server.usage().expect("watched").peak_memory_bytes > 0);
        server.stop().expect("stopped");
        assert!(server.check_alive().is_err());
    }
}
