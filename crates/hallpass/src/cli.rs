//! The command line: one file a command.

mod alerts;
mod audit;
mod auth;
mod config;
pub(crate) mod dev;
mod grants;
mod keys;
mod migrate;
mod output;
mod pages;
mod revocations;
mod scan;
mod serve;
mod sessions;
mod sim;
mod stop;
mod store;
mod upstreams;
mod usage;

use clap::{Parser, Subcommand};

pub(crate) use output::{note, say, table};
pub(crate) use stop::Stop;

/// Gives an app's own users realtime AI voice without ever giving them a key.
#[derive(Debug, Parser)]
#[command(name = "hallpass", version, about, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  hallpass dev                                  try everything on this machine, no key needed
  hallpass config check --config hallpass.toml  is this configuration safe?
  hallpass serve --config hallpass.toml         production
  hallpass keys create --name backend --role service
  hallpass scan dist                            does the build hold a key?

Exit codes: 0 done, 1 the answer is no, 2 bad use or bad configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    Dev(dev::Dev),
    Serve(serve::Serve),
    Sim(sim::Sim),
    #[command(subcommand)]
    Config(config::Config),
    #[command(subcommand)]
    Keys(keys::Keys),
    Migrate(migrate::Migrate),
    #[command(subcommand)]
    Store(store::Store),
    #[command(subcommand)]
    Auth(auth::Auth),
    #[command(subcommand)]
    Grants(grants::Grants),
    #[command(subcommand)]
    Revocations(revocations::Revocations),
    #[command(subcommand)]
    Sessions(sessions::Sessions),
    Usage(usage::Usage),
    #[command(subcommand)]
    Upstreams(upstreams::Upstreams),
    #[command(subcommand)]
    Alerts(alerts::Alerts),
    #[command(subcommand)]
    Audit(audit::Audit),
    Scan(scan::Scan),
    Openapi(pages::OpenApi),
    Metrics(pages::Metrics),
    Completions(pages::Completions),
    Man(pages::Man),
}

impl Cli {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Stop> {
        match self.command {
            Command::Dev(command) => command.run(),
            Command::Serve(command) => command.run(),
            Command::Sim(command) => command.run(),
            Command::Config(command) => command.run(),
            Command::Keys(command) => command.run(),
            Command::Migrate(command) => command.run(),
            Command::Store(command) => command.run(),
            Command::Auth(command) => command.run(),
            Command::Grants(command) => command.run(),
            Command::Revocations(command) => command.run(),
            Command::Sessions(command) => command.run(),
            Command::Usage(command) => command.run(),
            Command::Upstreams(command) => command.run(),
            Command::Alerts(command) => command.run(),
            Command::Audit(command) => command.run(),
            Command::Scan(command) => command.run(),
            Command::Openapi(command) => command.run(),
            Command::Metrics(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
        }
    }
}

/// Runs a command's asynchronous part.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("hallpass")
        .build();
    runtime
        .map_err(|error| Stop::usage(format!("can't start: {error}")))?
        .block_on(future)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
