//! Commands that print a page: the document, completions, the manual.

use clap::CommandFactory;

use super::{Cli, Stop, say};

/// Print the OpenAPI document
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hallpass openapi > openapi.json")]
pub(crate) struct OpenApi;

impl OpenApi {
    pub(crate) fn run(self) -> Result<(), Stop> {
        say(hallpass_http::openapi_json());
        Ok(())
    }
}

/// Print the table of all metrics
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hallpass metrics > metrics.md")]
pub(crate) struct Metrics;

impl Metrics {
    pub(crate) fn run(self) -> Result<(), Stop> {
        say(hallpass_telemetry::metrics_table().trim_end());
        Ok(())
    }
}

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hallpass completions bash > /etc/bash_completion.d/hallpass")]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Stop> {
        clap_complete::generate(
            self.shell,
            &mut Cli::command(),
            "hallpass",
            &mut std::io::stdout(),
        );
        Ok(())
    }
}

/// Print the manual page
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hallpass man | man -l -")]
pub(crate) struct Man;

impl Man {
    pub(crate) fn run(self) -> Result<(), Stop> {
        clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
        Ok(())
    }
}
