//! `bench soak`: a real server for a long time, with a fault every few seconds.
//!
//! At the end three witnesses must agree on every request: the callers' own
//! log, the audit trail, and the log of the simulated OpenAI. Meanwhile memory,
//! descriptors and tasks must stay flat.
mod agreement;
mod callers;
mod faults;
mod meter;
mod report;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    ask,
    clock::today,
    machine::{Machine, raise_open_files},
    peers::{self, Peer, Running, Setting},
    process::Server,
    progress::{self, progress},
    users,
};
use agreement::Agreement;
use callers::{Callers, Pace};
use meter::{Meter, Sample};
use report::Report;

/// How soon a server that was just started must answer.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// For what is under way when the load ends.
const SETTLE: Duration = Duration::from_secs(3);
/// An outage is as short as the faults are, so breakers are, too.
const UPSTREAM: &str = "timeout_ms = 1000\nbreaker = { open_ms = 500, max_open_ms = 2000 }\n";

/// Arguments of `bench soak`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Minutes of load
    #[arg(long, default_value = "20")]
    minutes: f64,
    /// Mints a second
    #[arg(long, default_value = "25")]
    rate: f64,
    /// Callers who share them
    #[arg(long, default_value = "16")]
    callers: usize,
    /// Seconds from one fault to the next
    #[arg(long, default_value = "4")]
    fault_seconds: f64,
    /// The Hallpass binary; else the one built beside this
    #[arg(long)]
    hallpass: Option<PathBuf>,
    /// Also write the result here, between the markers of a file that has them
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Runs the soak; fails where the witnesses disagree or something grew.
pub(crate) async fn soak(args: &Args) -> Result<()> {
    raise_open_files()?;
    let folder = progress::run_folder()?;
    let report = tokio::select! {
        report = run(args, folder.path()) => report,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let report = report.inspect_err(|_| eprintln!())?;
    let text = report.render();
    println!("{text}");
    if let Some(file) = &args.markdown {
        let kept = fs::read_to_string(file).unwrap_or_default();
        let text = report::placed(&kept, &text);
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Err(error) = report.verdict() {
        let kept = folder.keep();
        return Err(error.context(format!("trail and logs are in {}", kept.display())));
    }
    Ok(())
}

async fn run(args: &Args, folder: &Path) -> Result<Report> {
    let key = format!("sk-proj-{}", users::random_secret()?);
    let hallpass = match &args.hallpass {
        Some(binary) => fs::canonicalize(binary)?,
        None => std::env::current_exe()?.with_file_name("hallpass"),
    };
    let (mut sim, upstream) = start_sim(&hallpass, &key, folder).await?;
    let jwt_secret = users::random_secret()?;
    let setting = Setting {
        pgo: None,
        folder: folder.to_owned(),
        upstream,
        key,
        tokens: users::tokens(&jwt_secret)?,
        jwt_secret,
        core: None,
        hallpass,
        upstream_settings: UPSTREAM.to_owned(),
    };
    let version = peers::prepare(Peer::Hallpass, &setting)?;
    let mut running = peers::start(Peer::Hallpass, &setting).await?;
    let (samples, log, faults) = load(args, &setting, &running, upstream).await?;
    running.server.stop()?;
    let seen = ask::json(upstream, "GET", "/_sim/log?limit=100000", "").await?;
    sim.stop()?;
    let trail = running.folder.join("data/audit");
    verify(&setting.hallpass, &trail)?;
    Ok(Report {
        date: today(),
        machine: Machine::here()?,
        version,
        minutes: args.minutes,
        faults,
        samples,
        agreement: Agreement::of(&log, &trail, &seen)?,
    })
}

async fn start_sim(hallpass: &Path, key: &str, folder: &Path) -> Result<(Server, SocketAddr)> {
    let address = peers::free_address()?;
    let mut command = Command::new(hallpass);
    command.args(["sim", "--listen", &address.to_string()]);
    command.env("HALLPASS_SIM_KEY", key);
    let sim = Server::start(&command, None, &folder.join("sim.log"))?;
    let begun = Instant::now();
    while ask::json(address, "GET", "/_sim/faults", "").await.is_err() {
        if begun.elapsed() > READY_WITHIN {
            bail!("the simulated OpenAI does not start");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok((sim, address))
}

/// Callers, faults and meter side by side, until the time is over.
async fn load(
    args: &Args,
    setting: &Setting,
    running: &Running,
    upstream: SocketAddr,
) -> Result<(Vec<Sample>, callers::Log, u64)> {
    let time = Duration::try_from_secs_f64(args.minutes * 60.0)?;
    let pace = Pace {
        callers: args.callers,
        each: Duration::try_from_secs_f64(args.callers as f64 / args.rate)?,
    };
    let callers = Arc::new(Callers::new(running.target.address, &setting.tokens));
    let admin = running.admin.context("Hallpass has an admin listener")?;
    let mut meter = Meter::new(running.server.id(), admin, time);
    let under_way = callers.start(pace);
    let period = Duration::try_from_secs_f64(args.fault_seconds)?;
    let breaking = tokio::spawn(faults::inject(upstream, period));
    let begun = Instant::now();
    while begun.elapsed() < time {
        meter.sample(begun.elapsed(), callers.asked()).await?;
        let minute = begun.elapsed().as_secs() / 60;
        let done = begun.elapsed().as_secs_f64() / time.as_secs_f64();
        progress(&format!(
            "{} minute {minute} of {}, {} mints, {}",
            progress::bar(done),
            args.minutes,
            callers.asked(),
            meter.last()
        ));
        tokio::time::sleep(meter.every().min(time.saturating_sub(begun.elapsed()))).await;
    }
    breaking.abort();
    let faults = faults::injected(upstream).await?;
    callers.stop();
    let log = callers::finished(under_way).await?;
    tokio::time::sleep(SETTLE).await;
    meter.sample(begun.elapsed(), callers.asked()).await?;
    progress("");
    Ok((meter.samples, log, faults))
}

fn verify(hallpass: &Path, trail: &Path) -> Result<()> {
    let mut command = Command::new(hallpass);
    command.args(["audit", "verify"]).arg(trail);
    let output = command.output().context("cannot start hallpass")?;
    if output.status.success() {
        return Ok(());
    }
    bail!("the trail: {}", String::from_utf8_lossy(&output.stderr));
}
