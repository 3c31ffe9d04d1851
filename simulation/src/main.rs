//! Replicas on a simulated network, by seed.
//!
//! One process is one seed: time, chance and the network are then a function of
//! it, and the same seed gives the same trace. `cargo xtask simulate` runs many.
//!
//! What is real: the routers, the broker with every step of it, the calls' desk
//! and its takeover, the link to Redis with its scripts, limits, places, passes
//! and announcements, and the following of revocations. What stands in: a Redis
//! that runs the real scripts in a real Lua, a database, an OpenAI and a disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails here fails the simulation"
)]

mod chaos;
mod clock;
mod database;
mod openai;
mod people;
mod policy;
mod redis;
mod remote;
mod replica;
mod rules;
mod stores;
mod trace;
mod trail;
mod wire;
mod world;

use std::{panic, process::ExitCode};

use clap::Parser;
use rand10::{SeedableRng, rngs::StdRng};

/// Runs one seed.
#[derive(Parser)]
struct Arguments {
    /// What everything follows from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print every line of the trace.
    #[arg(long)]
    trace: bool,
    /// Break a rule on purpose, to see that it is found.
    #[arg(long, value_enum)]
    defect: Option<Defect>,
}

/// A defect that a rule must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Defect {
    /// Replicas go by what they knew of revocations when they started.
    DeafToRevocations,
    /// Each replica counts limits alone, and by the whole of each.
    CountsAlone,
    /// Passes are never used up.
    PassesStay,
    /// Records count as durable before they are.
    EarlyRecords,
    /// Nobody takes calls over.
    OrphansStay,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    end_with_a_panic();
    mad_turmoil::rand::set_rng(StdRng::seed_from_u64(arguments.seed));
    let guard = mad_turmoil::time::SimClocksGuard::init();
    let outcome = world::run(arguments.seed, arguments.defect);
    drop(guard);
    if arguments.trace {
        for line in &outcome.lines {
            println!("{line}");
        }
    }
    let (seed, hash) = (arguments.seed, outcome.hash);
    let counts = &outcome.counts;
    println!(
        "seed {seed} trace {hash:016x} events {} {counts}",
        outcome.lines.len()
    );
    for wrong in &outcome.wrong {
        println!("seed {seed} WRONG {wrong}");
    }
    match outcome.wrong.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Also with one in a task of a host, which by itself only ends that task and
/// looks like a fault of the network.
fn end_with_a_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::exit(101);
    }));
}
