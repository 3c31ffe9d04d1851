//! `cargo xtask simulate`: replicas on a simulated network, many seeds.
use std::{
    path::PathBuf,
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail, ensure};

use crate::run::{root, run};

/// Arguments of `cargo xtask simulate`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// Print the whole trace of the first seed instead, and run no other
    #[arg(long)]
    trace: bool,
}

/// Defects that are put in on purpose: a rule that finds none of them is none.
const DEFECTS: [&str; 5] = [
    "deaf-to-revocations",
    "counts-alone",
    "passes-stay",
    "early-records",
    "orphans-stay",
];
/// Seeds within which each defect must be found.
const FOUND_WITHIN: u64 = 40;

/// Runs seeds; each in a process of its own, the first of them twice.
pub(crate) fn simulate(args: &Args) -> Result<()> {
    let program = build()?;
    if args.trace {
        return run(Command::new(&program).args(["--trace", "--seed", &args.seed.to_string()]));
    }
    same_trace(&program, args.seed)?;
    for defect in DEFECTS {
        found(&program, args.seed, defect)?;
    }
    let wrong = seeds(&program, args.seed, args.rounds)?;
    ensure!(
        wrong.is_empty(),
        "rules were broken by the seeds {wrong:?}; look at one with `cargo xtask simulate --trace --seed {}`",
        wrong[0]
    );
    println!("{} seeds from {}: every rule held", args.rounds, args.seed);
    Ok(())
}

/// Builds the simulation, which is a workspace of its own.
fn build() -> Result<PathBuf> {
    let manifest = root().join("simulation/Cargo.toml");
    let target = target();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--locked", "--manifest-path"])
        .arg(manifest);
    run(cargo.env("CARGO_TARGET_DIR", &target))?;
    Ok(target.join("debug/hallpass-simulation"))
}

/// That of our own workspace: most of what the simulation needs is built there.
fn target() -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    given.unwrap_or_else(|| root().join("target"))
}

/// What a seed came to: its last line, and whether every rule held.
fn outcome(program: &PathBuf, seed: u64, more: &[&str]) -> Result<(String, bool)> {
    let mut command = Command::new(program);
    command.args(["--seed", &seed.to_string()]).args(more);
    let output = command.output().context("cannot start the simulation")?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.code() {
        Some(0) => Ok((said, true)),
        Some(1) if said.contains("WRONG") => Ok((said, false)),
        _ => bail!(
            "seed {seed} ended with {}:\n{said}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// The same seed gives the same trace, another seed another.
fn same_trace(program: &PathBuf, seed: u64) -> Result<()> {
    let (first, _) = outcome(program, seed, &["--trace"])?;
    let (again, _) = outcome(program, seed, &["--trace"])?;
    let differs = first
        .lines()
        .zip(again.lines())
        .find(|(one, other)| one != other);
    if let Some((one, other)) = differs {
        bail!("seed {seed} gave two traces, which first differ here:\n{one}\n{other}");
    }
    ensure!(
        first == again,
        "seed {seed} gave a trace twice, once longer"
    );
    let (other, _) = outcome(program, seed + 1, &["--trace"])?;
    ensure!(first != other, "two seeds gave one trace");
    println!(
        "seed {seed} gives the same trace twice: {} lines",
        first.lines().count()
    );
    Ok(())
}

/// A defect is found within some seeds.
fn found(program: &PathBuf, from: u64, defect: &str) -> Result<()> {
    for seed in from..from + FOUND_WITHIN {
        let (said, held) = outcome(program, seed, &["--defect", defect])?;
        if !held {
            let why = said
                .lines()
                .find(|line| line.contains("WRONG"))
                .unwrap_or_default();
            println!("{defect}: found, {why}");
            return Ok(());
        }
    }
    bail!("the defect {defect} was not found by {FOUND_WITHIN} seeds from {from}")
}

/// Runs seeds on every processor; those that broke a rule.
fn seeds(program: &PathBuf, from: u64, rounds: u64) -> Result<Vec<u64>> {
    let (next, wrong) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= rounds {
                return Ok(());
            }
            let (said, held) = outcome(program, from + number, &[])?;
            println!("{said}");
            if !held {
                let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                wrong.push(from + number);
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| bail!("a worker broke down"))
        })
    })?;
    Ok(wrong.into_inner().unwrap_or_else(PoisonError::into_inner))
}
