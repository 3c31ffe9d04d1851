//! Development tasks: `cargo xtask <task>`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool"
)]

mod bench;
mod crash;
mod deps_check;
mod dist;
mod fuzz;
mod generated;
mod lint;
mod prepare;
mod replicas;
mod run;
mod scan_corpus;
mod simulate;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{prepare::Missing, run::Failed};

/// Development tasks of Hallpass.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need where it is missing, then run every test
    Test(test::Args),
    /// Check format, lints, docs, licenses, crate borders, lock files, generated files
    Lint(lint::Args),
    /// Hold the crates' dependencies on each other against the table
    DepsCheck,
    /// Write the OpenAPI document, or compare it with `--check`
    Openapi(generated::Args),
    /// Write the configuration's JSON schema, or compare it with `--check`
    Schema(generated::Args),
    /// Write the table of all metrics, or compare it with `--check`
    Metrics(generated::Args),
    /// Scan fifty well-known packages: there must be no find in them
    ScanCorpus,
    /// Build the server twice, the second time by what a run of it showed, into target/pgo
    Dist,
    /// Build optimised and measure against peers; mints at what `dist` built too
    Bench(bench::Args),
    /// Kill a server again and again under load; what it answered must hold
    Crash(crash::Args),
    /// Run three replicas with PostgreSQL, Redis and nginx; with `--chaos`, break them
    Replicas(replicas::Args),
    /// Run replicas on a simulated network, by seed
    Simulate(simulate::Args),
    /// Fuzz one parser, or each, for some minutes on nightly
    Fuzz(fuzz::Args),
    /// Build for release and run for minutes with a fault every few seconds
    Soak(bench::Args),
}

fn main() -> ExitCode {
    match perform(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            exit_code(&error)
        }
    }
}

fn perform(task: Task) -> Result<()> {
    match task {
        Task::Test(args) => test::test(&args),
        Task::Lint(args) => lint::lint(&args),
        Task::DepsCheck => deps_check::deps_check(),
        Task::Openapi(args) => generated::OPENAPI.update(&args),
        Task::Schema(args) => generated::SCHEMA.update(&args),
        Task::Metrics(args) => generated::METRICS.update(&args),
        Task::ScanCorpus => scan_corpus::scan_corpus(),
        Task::Dist => dist::dist(),
        Task::Bench(args) => bench::bench(&args),
        Task::Crash(args) => crash::crash(&args),
        Task::Replicas(args) => replicas::replicas(&args),
        Task::Simulate(args) => simulate::simulate(&args),
        Task::Fuzz(args) => fuzz::fuzz(&args),
        Task::Soak(args) => bench::soak(args),
    }
}

/// The failed command's own code; 2 where something is missing; otherwise 1.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    if let Some(failed) = error.downcast_ref::<Failed>() {
        return failed.exit_code();
    }
    if error.is::<Missing>() {
        return ExitCode::from(2);
    }
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn something_missing_exits_with_2() {
        let error = anyhow::Error::new(Missing::new("Node 20"));

        assert_eq!(exit_code(&error), ExitCode::from(2));
    }
}
