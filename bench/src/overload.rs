//! `bench overload`: what becomes of a server that is asked for too much.
//!
//! Capacity is found first, in a closed loop. Then requests arrive at multiples
//! of it whether or not the ones before were answered, as a crowd's do.
mod open_loop;
mod probes;
mod report;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    clock::{today, unix_seconds},
    ledger::Ledger,
    load::{Timing, drive, try_once},
    machine::{Cores, Machine, raise_open_files},
    peers::{self, Peer, Running, Setting},
    progress::{progress, run_folder},
    upstream::Upstream,
    users,
};
use open_loop::Arrivals;
use report::{Offered, Report};

/// Connections of the closed loop, upwards; the last is as many mints as may be
/// under way by default.
const CLOSED: [usize; 4] = [64, 128, 256, 512];
/// Goodput under overload, as a share of the best, that must be left.
const KEPT: f64 = 0.9;

/// Arguments of `bench overload`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Milliseconds the upstream takes
    #[arg(long, default_value = "150")]
    upstream_ms: u64,
    /// Requests that arrive, in multiples of the capacity
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    times: Vec<f64>,
    /// Seconds measured at each level
    #[arg(long, default_value = "5")]
    seconds: f64,
    /// Seconds before that at each level
    #[arg(long, default_value = "1")]
    warm_up: f64,
    /// The Hallpass binary; else the one built beside this
    #[arg(long)]
    hallpass: Option<PathBuf>,
    /// Also write the table here, between the markers of a file that has them
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl Args {
    fn timing(&self) -> Result<Timing> {
        Ok(Timing {
            warm_up: Duration::try_from_secs_f64(self.warm_up)?,
            window: Duration::try_from_secs_f64(self.seconds)?,
        })
    }
}

/// Measures, prints, writes; fails where goodput breaks down.
pub(crate) async fn overload(args: &Args) -> Result<()> {
    let report = tokio::select! {
        report = measure(args) => report?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let text = report.render();
    println!("{text}");
    if let Some(file) = &args.markdown {
        let kept = fs::read_to_string(file).unwrap_or_default();
        fs::write(file, report::placed(&kept, &text))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    report.verdict(KEPT)
}

async fn measure(args: &Args) -> Result<Report> {
    let machine = Machine::here()?;
    let cores = Cores::divide()?;
    raise_open_files()?;
    cores.pin_load()?;
    let folder = run_folder()?;
    let ledger = Arc::new(Ledger::new(unix_seconds()));
    let key = format!("sk-proj-{}", users::random_secret()?);
    let upstream = Upstream::start(Arc::clone(&ledger), key).await?;
    let jwt_secret = users::random_secret()?;
    let setting = Setting {
        pgo: None,
        folder: folder.path().to_owned(),
        upstream: upstream.address,
        key: upstream.key.clone(),
        tokens: users::tokens(&jwt_secret)?,
        jwt_secret,
        core: cores.server,
        hallpass: match &args.hallpass {
            Some(binary) => fs::canonicalize(binary)?,
            None => std::env::current_exe()?.with_file_name("hallpass"),
        },
        upstream_settings: String::new(),
    };
    let version = peers::prepare(Peer::Hallpass, &setting)?;
    let mut running = peers::start(Peer::Hallpass, &setting).await?;
    try_once(&running.target, &ledger).await?;
    upstream.set_delay(Duration::from_millis(args.upstream_ms));
    let capacity = capacity(args, &running, &ledger).await?;
    let mut levels = Vec::new();
    for times in &args.times {
        levels.push(level(args, &running, *times, capacity).await?);
    }
    progress("");
    running.server.stop()?;
    Ok(Report {
        date: today(),
        machine,
        version,
        upstream_ms: args.upstream_ms,
        seconds: args.seconds,
        capacity,
        levels,
    })
}

/// The most mints a second that a closed loop gets.
async fn capacity(args: &Args, running: &Running, ledger: &Arc<Ledger>) -> Result<f64> {
    let mut best = 0_f64;
    for connections in CLOSED {
        progress(&format!("capacity: {connections} connections"));
        let Running { target, server, .. } = running;
        let sample = drive(target, ledger, connections, args.timing()?, server).await?;
        best = best.max(sample.requests_per_second);
    }
    ensure!(best > 0.0, "no capacity was found");
    Ok(best)
}

async fn level(args: &Args, running: &Running, times: f64, capacity: f64) -> Result<Offered> {
    let rate = capacity * times;
    progress(&format!("{times} times capacity: {rate:.0} a second"));
    let admin = running.admin.context("Hallpass has an admin listener")?;
    let arrivals = Arrivals::new(&running.target, rate, args.timing()?);
    let (taken, probes) = probes::beside(arrivals.run(), running.target.address, admin).await?;
    Ok(Offered {
        times,
        rate,
        taken,
        probes,
    })
}
