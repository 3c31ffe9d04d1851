//! The benchmark: load generator, simulated upstream, and the peers.
//!
//! `cargo xtask bench mint` builds for release and runs this. It measures
//! built servers from outside and depends on none of Hallpass's crates.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool"
)]

mod ask;
mod clock;
mod disk;
mod forwarder;
mod ledger;
mod load;
mod machine;
mod markers;
mod mint;
mod overload;
mod peers;
mod process;
mod progress;
mod relay;
mod replicas;
mod report;
mod soak;
mod upstream;
mod users;
mod wire;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures Hallpass beside its peers.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Mint client secrets in a closed loop, peer after peer
    Mint(mint::Args),
    /// Relay WebSocket sessions, relay after relay
    Relay(relay::Args),
    /// Replicas that agree, against one by itself; and a revocation's reach
    Replicas(replicas::Args),
    /// Ask for more than there is capacity for
    Overload(overload::Args),
    /// Mint for minutes with a fault every few seconds; nothing may be lost
    /// or grow
    Soak(soak::Args),
    /// The bare axum + hyper forwarder, one of the peers
    #[command(hide = true)]
    Forwarder(forwarder::Args),
}

fn main() -> ExitCode {
    match perform(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// One thread each: load generator and upstream share a core without switching
/// between threads, and the forwarder has one core to itself.
fn perform(command: Command) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Mint(args) => runtime.block_on(mint::mint(&args)),
        Command::Relay(args) => {
            let local = tokio::task::LocalSet::new();
            runtime.block_on(local.run_until(relay::relay(&args)))
        }
        Command::Replicas(args) => {
            let local = tokio::task::LocalSet::new();
            runtime.block_on(local.run_until(replicas::replicas(&args)))
        }
        Command::Overload(args) => runtime.block_on(overload::overload(&args)),
        Command::Soak(args) => runtime.block_on(soak::soak(&args)),
        Command::Forwarder(args) => runtime.block_on(forwarder::serve(args)),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
