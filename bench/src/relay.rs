//! `bench relay`: WebSocket sessions through Hallpass, nginx and a Node relay.
//!
//! Each session sends and gets twenty frames a second of 6 KB. What is measured
//! is the relay's processor time for each frame that arrived, the time a frame
//! takes from upstream to client, and the memory of sessions that say nothing.
mod besides;
mod peers;
mod report;
pub(crate) mod session;
pub(crate) mod upstream;

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::{
    clock::today,
    machine::{Cores, Machine, raise_open_files},
    process::Usage,
    progress::progress,
    users,
};
use besides::{Ended, Minted};
use peers::{Certificate, Peer, Running, Setting};
use session::Fleet;
use upstream::Upstream;

/// Arguments of `bench relay`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Relays to measure; `direct` is none
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "direct,hallpass,nginx,ws"
    )]
    only: Vec<Peer>,
    /// Rounds; every figure is the median over them
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// Seconds measured at each level
    #[arg(long, default_value = "5")]
    seconds: f64,
    /// Sessions that talk, level by level
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    sessions: Vec<usize>,
    /// Sessions that say nothing; 0 leaves them out
    #[arg(long, default_value = "5000")]
    idle: usize,
    /// The Hallpass binary; else the one built beside this
    #[arg(long)]
    hallpass: Option<PathBuf>,
    /// Also write the table here, between the markers of a file that has them
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// What one peer did at one level of one round.
#[derive(Debug, Clone, Copy, Serialize)]
struct Sample {
    peer: Peer,
    sessions: usize,
    /// Microseconds of the relay's processor time for a frame that arrived.
    cpu_us: f64,
    /// Hundredths of the frames sent that arrived.
    delivered: f64,
    p50_ms: f64,
    p99_ms: f64,
    memory_mb: f64,
}

/// What idle sessions cost.
#[derive(Debug, Clone, Copy, Serialize)]
struct Idle {
    peer: Peer,
    sessions: usize,
    /// Whether clients speak TLS.
    tls: bool,
    /// KiB of resident memory more for each session.
    kib: f64,
}

/// All figures of a run.
#[derive(Debug, Serialize)]
struct Report {
    date: String,
    machine: Machine,
    rounds: usize,
    seconds: f64,
    versions: Vec<(Peer, String)>,
    samples: Vec<Sample>,
    idle: Vec<Idle>,
    minted: Vec<Minted>,
    ended: Vec<Ended>,
}

/// Measures, prints, and writes what was asked for.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) async fn relay(args: &Args) -> Result<()> {
    let report = measure(args).await?;
    println!("{}", report::render(&report));
    if let Some(file) = &args.markdown {
        let kept = fs::read_to_string(file).unwrap_or_default();
        fs::write(file, report::placed(&kept, &report))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

async fn measure(args: &Args) -> Result<Report> {
    let machine = Machine::here()?;
    let cores = Cores::divide()?;
    raise_open_files()?;
    cores.pin_load()?;
    let folder = tempfile::tempdir()?;
    let upstream = Upstream::start().await?;
    let jwt_secret = users::random_secret()?;
    let setting = Setting {
        upstream: upstream.address,
        key: format!("sk-{}", users::random_secret()?),
        tokens: users::tokens(&jwt_secret)?,
        jwt_secret,
        core: cores.server,
        hallpass: args.hallpass()?,
        certificate: Certificate::make(folder.path())?,
        folder: folder.path().to_owned(),
    };
    let versions = args
        .only
        .iter()
        .map(|peer| Ok((*peer, peers::prepare(*peer, &setting)?)));
    let versions: Vec<(Peer, String)> = versions.collect::<Result<_>>()?;
    let mut report = Report {
        date: today(),
        machine,
        rounds: args.rounds.get(),
        seconds: args.seconds,
        versions,
        samples: Vec::new(),
        idle: Vec::new(),
        minted: Vec::new(),
        ended: Vec::new(),
    };
    for round in 0..args.rounds.get() {
        for peer in &args.only {
            let (name, rounds) = (peer.name(), args.rounds);
            progress(&format!("round {} of {rounds}: {name}", round + 1));
            let run = setting.folder.join(format!("{name}-{round}"));
            report.round(args, *peer, &setting, &upstream, &run).await?;
        }
    }
    progress("");
    Ok(report)
}

impl Report {
    async fn round(
        &mut self,
        args: &Args,
        peer: Peer,
        setting: &Setting,
        upstream: &Upstream,
        run: &Path,
    ) -> Result<()> {
        for sessions in &args.sessions {
            let mut running = peers::start(peer, setting, &run.join(sessions.to_string())).await?;
            let sample = talk(&running, setting, upstream, *sessions, args.seconds).await?;
            running.stop()?;
            self.samples.push(sample);
        }
        if args.idle > 0 && peer != Peer::Direct {
            let mut running = peers::start(peer, setting, &run.join("idle")).await?;
            self.say_nothing(&running, setting, args.idle).await?;
            running.stop()?;
        }
        if peer == Peer::Hallpass {
            self.besides(args, setting, run).await?;
        }
        Ok(())
    }

    /// What only Hallpass is asked.
    async fn besides(&mut self, args: &Args, setting: &Setting, run: &Path) -> Result<()> {
        if args.idle > 0 {
            let mut running = peers::start_tls(setting, &run.join("tls")).await?;
            let kib = besides::idle_over_tls(&running, setting, args.idle).await?;
            running.stop()?;
            self.idle.push(Idle {
                peer: running.peer,
                sessions: args.idle,
                tls: true,
                kib,
            });
        }
        if let Some(live) = args.sessions.iter().max() {
            let mut running = peers::start(Peer::Hallpass, setting, &run.join("end")).await?;
            self.ended
                .push(besides::end_all(&running, setting, *live).await?);
            running.stop()?;
        }
        Ok(())
    }

    async fn say_nothing(
        &mut self,
        running: &Running,
        setting: &Setting,
        sessions: usize,
    ) -> Result<()> {
        // What the first ones make is made once.
        if running.peer == Peer::Hallpass {
            besides::warm_up(running, setting).await?;
        }
        let first = Fleet::connect(running, setting, 20).await?;
        let before = running.usage()?;
        let fleet = Fleet::connect(running, setting, sessions).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = running.usage()?;
        self.idle.push(Idle {
            peer: running.peer,
            sessions,
            tls: false,
            kib: kib_each(&before, &after, sessions),
        });
        if running.peer == Peer::Hallpass {
            self.minted.push(besides::mint(running, setting).await?);
        }
        drop((first, fleet));
        Ok(())
    }
}

async fn talk(
    running: &Running,
    setting: &Setting,
    upstream: &Upstream,
    sessions: usize,
    seconds: f64,
) -> Result<Sample> {
    let fleet = Fleet::connect(running, setting, sessions).await?;
    upstream.talk(true);
    fleet.talk();
    tokio::time::sleep(Duration::from_secs(2)).await;
    fleet.begin();
    upstream.begin();
    let (began, before) = (Instant::now(), running.usage()?);
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    let (after, took) = (running.usage()?, began.elapsed().as_secs_f64());
    let (down, latency) = fleet.end();
    let up = upstream.received();
    upstream.talk(false);
    drop(fleet);
    let arrived = (up + down) as f64;
    if arrived == 0.0 {
        bail!("nothing arrived through {}", running.peer.name());
    }
    let sent = sessions as f64 * session::FRAMES_A_SECOND * 2.0 * took;
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
    Ok(Sample {
        peer: running.peer,
        sessions,
        cpu_us: cpu * 1e6 / arrived,
        delivered: 100.0 * arrived / sent,
        p50_ms: latency.value_at_quantile(0.5) as f64 / 1e6,
        p99_ms: latency.value_at_quantile(0.99) as f64 / 1e6,
        memory_mb: after.peak_memory_bytes as f64 / 1e6,
    })
}

/// KiB of resident memory more for each of some sessions.
fn kib_each(before: &Usage, after: &Usage, sessions: usize) -> f64 {
    (resident(after) - resident(before)) / 1024.0 / sessions as f64
}

fn resident(usage: &Usage) -> f64 {
    usage.memory_bytes as f64
}

impl Args {
    fn hallpass(&self) -> Result<PathBuf> {
        if let Some(binary) = &self.hallpass {
            return Ok(fs::canonicalize(binary)?);
        }
        let own = std::env::current_exe()?;
        Ok(own.with_file_name("hallpass"))
    }
}
