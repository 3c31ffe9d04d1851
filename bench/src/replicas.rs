//! `bench replicas`: what agreeing costs, and how soon a revocation is
//! everywhere.
//!
//! One server by itself, then one, two and three replicas on one PostgreSQL and
//! one Redis, driven alike in interleaved rounds.
mod place;
mod reach;
mod report;
mod stores;

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use self::{
    place::{Place, Setting},
    reach::Reach,
    report::{Arrangement, Measured, Report},
    stores::Stores,
};
use crate::{
    clock::{today, unix_seconds},
    ledger::Ledger,
    load::{Timing, drive_all, try_once},
    machine::{Cores, Machine, raise_open_files},
    peers::said,
    progress::{bar, progress, run_folder},
    relay::upstream::Upstream as Sessions,
    upstream::Upstream,
    users,
};

/// Replicas over which revocations have to reach.
const REPLICAS: usize = 3;

/// Arguments of `bench replicas`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rounds; every figure is the median over them
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// Seconds measured at each level
    #[arg(long, default_value = "3")]
    seconds: f64,
    /// Seconds before that at each level
    #[arg(long, default_value = "1")]
    warm_up: f64,
    /// Connections, over all replicas
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    connections: Vec<usize>,
    /// Revocations whose reach is measured
    #[arg(long, default_value = "300")]
    revocations: usize,
    /// The Hallpass binary; else the one built beside this
    #[arg(long)]
    hallpass: Option<PathBuf>,
    /// Also write every figure here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables here, between the markers of a file that has them
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Measures, prints, writes; fails where revocations are too late.
pub(crate) async fn replicas(args: &Args) -> Result<()> {
    let report = tokio::select! {
        report = measure(args) => report?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
    };
    let text = report.render();
    println!("{text}");
    let write = |file: &Path, text: &[u8]| {
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    if let Some(file) = &args.json {
        write(file, &serde_json::to_vec_pretty(&report)?)?;
    }
    if let Some(file) = &args.markdown {
        let kept = fs::read_to_string(file).unwrap_or_default();
        write(file, report::placed(&kept, &text).as_bytes())?;
    }
    report.verdict()
}

/// A run under way.
struct Run<'a> {
    args: &'a Args,
    setting: Setting,
    stores: Stores,
    ledger: Arc<Ledger>,
    folder: PathBuf,
}

async fn measure(args: &Args) -> Result<Report> {
    let machine = Machine::here()?;
    let cores = Cores::divide()?;
    raise_open_files()?;
    cores.pin_load()?;
    let folder = run_folder()?;
    let ledger = Arc::new(Ledger::new(unix_seconds()));
    let key = format!("sk-proj-{}", users::random_secret()?);
    let upstream = Upstream::start(Arc::clone(&ledger), key.clone()).await?;
    let jwt_secret = users::random_secret()?;
    let hallpass = match &args.hallpass {
        Some(binary) => fs::canonicalize(binary)?,
        None => std::env::current_exe()?.with_file_name("hallpass"),
    };
    progress("starting PostgreSQL and Redis");
    let mut run = Run {
        args,
        stores: Stores::start(folder.path(), cores.server)?,
        ledger,
        folder: folder.path().to_owned(),
        setting: Setting {
            upstream: upstream.address,
            key,
            tokens: users::tokens(&jwt_secret)?,
            jwt_secret,
            core: cores.server,
            hallpass,
            mode: "direct",
        },
    };
    let version = said(Command::new(&run.setting.hallpass).arg("--version"))?;
    let measured = run.rounds().await?;
    let reach = run.reach().await?;
    progress("");
    run.stores.stop()?;
    Ok(Report {
        date: today(),
        machine,
        pinned: cores.server.is_some(),
        version,
        stores: run.stores.versions.clone(),
        rounds: args.rounds.get(),
        seconds: args.seconds,
        connections: args.connections.clone(),
        arrangements: ARRANGEMENTS.to_vec(),
        measured,
        replicas: REPLICAS,
        reach,
    })
}

const ARRANGEMENTS: [Arrangement; 4] = [
    Arrangement::Embedded,
    Arrangement::Distributed(1),
    Arrangement::Distributed(2),
    Arrangement::Distributed(REPLICAS),
];

impl Run<'_> {
    async fn rounds(&self) -> Result<Vec<Measured>> {
        let mut measured = Vec::new();
        for round in 0..self.args.rounds.get() {
            // Who is first turns from round to round.
            let mut turn = ARRANGEMENTS;
            turn.rotate_left(round % ARRANGEMENTS.len());
            for arrangement in turn {
                self.measure(round, arrangement, &mut measured).await?;
            }
        }
        Ok(measured)
    }

    /// Fresh servers, level by level upwards.
    async fn measure(
        &self,
        round: usize,
        arrangement: Arrangement,
        measured: &mut Vec<Measured>,
    ) -> Result<()> {
        let folder = self.folder.join(format!("round-{round}"));
        fs::create_dir_all(&folder)?;
        let mut place = match arrangement {
            Arrangement::Embedded => Place::embedded(&self.setting, &folder).await?,
            Arrangement::Distributed(count) => {
                let name = format!("bench_{round}_{count}");
                let of = (&*name, count);
                Place::distributed(&self.setting, &self.stores, &folder, of).await?
            }
        };
        for target in &place.targets {
            try_once(target, &self.ledger).await?;
        }
        let timing = Timing {
            warm_up: Duration::try_from_secs_f64(self.args.warm_up)?,
            window: Duration::try_from_secs_f64(self.args.seconds)?,
        };
        for connections in &self.args.connections {
            let rounds = self.args.rounds;
            progress(&format!(
                "round {} of {rounds}: {arrangement:?}, {connections} connections",
                round + 1
            ));
            let watched = place.watched(&self.stores);
            let (targets, ledger) = (&place.targets, &self.ledger);
            let driven = drive_all(targets, ledger, *connections, timing, &watched).await;
            let (sample, beside) = driven.with_context(|| format!("{arrangement:?}"))?;
            measured.push(Measured {
                round,
                arrangement,
                connections: *connections,
                sample,
                postgres_ms: beside.first().copied().unwrap_or_default(),
                redis_ms: beside.get(1).copied().unwrap_or_default(),
            });
        }
        place.stop()
    }

    async fn reach(&mut self) -> Result<Reach> {
        let sessions = Sessions::start().await?;
        self.setting.upstream = sessions.address;
        self.setting.mode = "relay";
        let folder = self.folder.join("reach");
        fs::create_dir_all(&folder)?;
        let of = ("bench_reach", REPLICAS);
        let mut place = Place::distributed(&self.setting, &self.stores, &folder, of).await?;
        let (times, secret) = (self.args.revocations, &self.setting.jwt_secret);
        let shown = |done: usize| {
            let share = done as f64 / times.max(1) as f64;
            progress(&format!("{} {done} of {times} revocations", bar(share)));
        };
        let reach = reach::measure(&place, secret, times, shown).await?;
        place.stop()?;
        Ok(reach)
    }
}
