//! `hallpass dev`: everything on this machine.

use std::{net::IpAddr, path::PathBuf};

use clap::ValueEnum;
use secrecy::SecretString;

use super::Stop;
use crate::dev;

/// Try everything on this machine: broker, simulated OpenAI, generated credentials
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  hallpass dev
  hallpass dev --port 0 --data-dir /tmp/hallpass
  OPENAI_API_KEY=… hallpass dev --upstream openai
  hallpass dev --durable postgres://me@localhost/hallpass")]
pub(crate) struct Dev {
    /// The first of four ports: broker, admin, simulator, TLS; 0 picks free ones
    #[arg(long, default_value_t = 8787)]
    pub(crate) port: u16,
    /// Where keys, grants and the audit trail are kept
    #[arg(long, value_name = "DIR", default_value = ".hallpass")]
    pub(crate) data_dir: PathBuf,
    /// The address to listen at; loopback only
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// Where client secrets come from; openai needs a key in the environment
    #[arg(long, value_enum, default_value_t = Upstream::Sim)]
    pub(crate) upstream: Upstream,
    /// A PostgreSQL database to keep what lasts in, instead of a file
    #[arg(long, value_name = "ADDRESS", env = "HALLPASS_STORE_DURABLE", hide_env_values = true, value_parser = address)]
    pub(crate) durable: Option<SecretString>,
    /// Log every request, not only warnings
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

fn address(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text))
}

/// Where client secrets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Upstream {
    /// The simulated OpenAI in this process; no cost
    Sim,
    /// OpenAI itself, with the key in `OPENAI_API_KEY`
    Openai,
}

impl Dev {
    pub(crate) fn run(self) -> Result<(), Stop> {
        if !self.host.is_loopback() {
            return Err(Stop::usage(
                "hallpass dev listens on loopback only: its credentials are printed. Use hallpass serve for other machines.",
            ));
        }
        dev::run(&self)
    }
}
