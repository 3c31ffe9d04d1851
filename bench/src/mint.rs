//! `bench mint`: rounds of levels of peers, so that drift meets them all.
use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    clock::{today, unix_seconds},
    disk::{self, Syncs},
    ledger::Ledger,
    load::{Sample, Timing, drive, try_once},
    machine::{Cores, Machine, raise_open_files},
    peers::{self, Peer, Running, Setting},
    progress::{progress, run_folder},
    report::{Level, Measured, Report, Subject, markdown},
    upstream::Upstream,
    users,
};

const DISK_TIME: Duration = Duration::from_secs(1);

/// Arguments of `bench mint`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Servers to measure
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "hallpass,forwarder,nginx,express"
    )]
    only: Vec<Peer>,
    /// Rounds; every figure is the median over them
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// Seconds measured at each level
    #[arg(long, default_value = "3")]
    seconds: f64,
    /// Seconds before that at each level
    #[arg(long, default_value = "1")]
    warm_up: f64,
    /// Connections of the levels with an immediate upstream
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    connections: Vec<usize>,
    /// Connections of the levels with a slow upstream
    #[arg(long, value_delimiter = ',', default_value = "512", num_args = 0..)]
    slow_connections: Vec<usize>,
    /// Milliseconds the slow upstream takes
    #[arg(long, default_value = "150")]
    slow_ms: u64,
    /// The Hallpass binary; else the one built beside this
    #[arg(long)]
    hallpass: Option<PathBuf>,
    /// Also measure this one, that `cargo xtask dist` built
    #[arg(long, value_name = "FILE")]
    pgo: Option<PathBuf>,
    /// Also write every figure here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables here, between the markers of a file that has them
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

struct Run<'a> {
    args: &'a Args,
    setting: Setting,
    upstream: Upstream,
    ledger: Arc<Ledger>,
}

/// Measures, prints, and writes what was asked for.
pub(crate) async fn mint(args: &Args) -> Result<()> {
    let report = measure(args).await?;
    println!("{}", markdown::render(&report));
    if let Some(file) = &args.json {
        write(file, &serde_json::to_vec_pretty(&report)?)?;
    }
    if let Some(file) = &args.markdown {
        let kept = fs::read_to_string(file).unwrap_or_default();
        write(file, markdown::placed(&kept, &report).as_bytes())?;
    }
    Ok(())
}

async fn measure(args: &Args) -> Result<Report> {
    let machine = Machine::here()?;
    let cores = Cores::divide()?;
    raise_open_files()?;
    // Servers started from here on inherit the core, then taskset moves them.
    cores.pin_load()?;
    let folder = run_folder()?;
    let run = Run::new(args, folder.path(), cores).await?;
    let subjects = run.subjects()?;
    let found = tokio::select! {
        found = run.rounds() => found,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let (measured, syncs) = match found {
        Ok(found) => found,
        Err(error) => {
            let kept = folder.keep();
            return Err(error.context(format!("failed; logs are in {}", kept.display())));
        }
    };
    Ok(Report {
        date: today(),
        machine,
        pinned: cores.server.is_some(),
        rounds: args.rounds.get(),
        seconds: args.seconds,
        subjects,
        levels: args.levels(),
        measured,
        syncs,
    })
}

impl Args {
    fn timing(&self) -> Result<Timing> {
        Ok(Timing {
            warm_up: Duration::try_from_secs_f64(self.warm_up)?,
            window: Duration::try_from_secs_f64(self.seconds)?,
        })
    }

    fn levels(&self) -> Vec<Level> {
        let fast = self.connections.iter().map(|connections| (connections, 0));
        let slow = self.slow_connections.iter();
        fast.chain(slow.map(|connections| (connections, self.slow_ms)))
            .map(|(connections, upstream_ms)| Level {
                connections: *connections,
                upstream_ms,
            })
            .collect()
    }

    fn peers(&self) -> Vec<Peer> {
        let mut peers = self.only.clone();
        if self.pgo.is_some() {
            peers.insert(1.min(peers.len()), Peer::Pgo);
        }
        peers
    }

    fn hallpass(&self) -> Result<PathBuf> {
        match &self.hallpass {
            Some(binary) => Ok(fs::canonicalize(binary)?),
            None => Ok(std::env::current_exe()?.with_file_name("hallpass")),
        }
    }
}

impl<'a> Run<'a> {
    async fn new(args: &'a Args, folder: &Path, cores: Cores) -> Result<Self> {
        let ledger = Arc::new(Ledger::new(unix_seconds()));
        // Shaped as a standard key, which Hallpass may insist on.
        let key = format!("sk-proj-{}", users::random_secret()?);
        let upstream = Upstream::start(Arc::clone(&ledger), key).await?;
        let jwt_secret = users::random_secret()?;
        let setting = Setting {
            folder: folder.to_owned(),
            upstream: upstream.address,
            key: upstream.key.clone(),
            tokens: users::tokens(&jwt_secret)?,
            jwt_secret,
            core: cores.server,
            hallpass: args.hallpass()?,
            pgo: args.pgo.as_deref().map(fs::canonicalize).transpose()?,
            upstream_settings: String::new(),
        };
        Ok(Self {
            args,
            setting,
            upstream,
            ledger,
        })
    }

    fn subjects(&self) -> Result<Vec<Subject>> {
        let subject = |peer: &Peer| {
            progress(&format!("preparing {}", peer.name()));
            let version = peers::prepare(*peer, &self.setting);
            Ok(Subject {
                peer: *peer,
                job: peer.job(),
                version: version.with_context(|| format!("cannot prepare {}", peer.name()))?,
            })
        };
        self.args.peers().iter().map(subject).collect()
    }

    async fn rounds(&self) -> Result<(Vec<Measured>, Vec<Syncs>)> {
        let mut measured = Vec::new();
        let mut syncs = Vec::new();
        for round in 0..self.args.rounds.get() {
            syncs.push(disk::measure(&self.setting.folder, DISK_TIME)?);
            self.round(round, &mut measured).await?;
        }
        progress("");
        Ok((measured, syncs))
    }

    /// Fresh servers, level by level upwards, so that a peak of memory belongs
    /// to its level; the order of the peers turns from round to round.
    async fn round(&self, round: usize, measured: &mut Vec<Measured>) -> Result<()> {
        let mut running = self.start_all().await?;
        let peers = running.len().max(1);
        running.rotate_left(round % peers);
        for level in self.args.levels() {
            self.upstream
                .set_delay(Duration::from_millis(level.upstream_ms));
            for peer in &running {
                let sample = self.sample(round, level, peer).await?;
                measured.push(Measured {
                    round,
                    level,
                    peer: peer.peer,
                    sample,
                });
            }
        }
        running.iter_mut().try_for_each(|peer| peer.server.stop())
    }

    async fn start_all(&self) -> Result<Vec<Running>> {
        let mut running = Vec::new();
        self.upstream.set_delay(Duration::ZERO);
        for peer in &self.args.peers() {
            progress(&format!("starting {}", peer.name()));
            let started = peers::start(*peer, &self.setting).await?;
            try_once(&started.target, &self.ledger)
                .await
                .with_context(|| format!("{} cannot mint", peer.name()))?;
            running.push(started);
        }
        Ok(running)
    }

    async fn sample(&self, round: usize, level: Level, running: &Running) -> Result<Sample> {
        let name = running.peer.name();
        let rounds = self.args.rounds;
        progress(&format!("round {} of {rounds}, {level}: {name}", round + 1));
        let Running { target, server, .. } = running;
        let timing = self.args.timing()?;
        drive(target, &self.ledger, level.connections, timing, server)
            .await
            .with_context(|| format!("{name}, {level}"))
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
