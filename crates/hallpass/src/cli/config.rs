//! `hallpass config`: check, print, schema.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Subcommand;
use hallpass_config::{Loaded, Sources};

use super::{Stop, say};

/// Check, print and describe the configuration
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Refuse unsafe or unknown settings, naming the line
    #[command(after_help = "Example:\n  hallpass config check --config hallpass.toml")]
    Check(Source),
    /// Print the settings in effect, secrets hidden
    #[command(after_help = "Example:\n  hallpass config print --config hallpass.toml")]
    Print(Source),
    /// Print the JSON schema of the configuration
    #[command(after_help = "Example:\n  hallpass config schema > hallpass.schema.json")]
    Schema,
}

/// Where the configuration comes from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Source {
    /// The TOML file; environment and flags lie over it
    #[arg(long, env = "HALLPASS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one member, for example --set server.listen=0.0.0.0:8787
    #[arg(long, value_name = "MEMBER=VALUE", value_parser = member_value)]
    set: Vec<(String, String)>,
}

fn member_value(text: &str) -> Result<(String, String), String> {
    let (member, value) = text.split_once('=').ok_or("write MEMBER=VALUE")?;
    Ok((member.to_owned(), value.to_owned()))
}

impl Source {
    /// Reads file, environment and flags.
    pub(crate) fn load(&self) -> Result<Loaded, Stop> {
        self.read(hallpass_config::load)
    }

    /// Reads only what says who is let in.
    pub(crate) fn load_auth_only(&self) -> Result<Loaded, Stop> {
        self.read(hallpass_config::load_auth_only)
    }

    fn read<E: std::fmt::Display>(
        &self,
        load: fn(Sources<'_>) -> Result<Loaded, E>,
    ) -> Result<Loaded, Stop> {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let sources = Sources {
            file: self.config.as_deref(),
            environment: &environment,
            flags: &self.set,
        };
        load(sources).map_err(|problems| Stop::usage(problems.to_string()))
    }
}

impl Config {
    pub(crate) fn run(self) -> Result<(), Stop> {
        match self {
            Self::Check(source) => check(&source),
            Self::Print(source) => {
                say(source.load()?.to_toml());
                Ok(())
            }
            Self::Schema => {
                say(hallpass_config::json_schema());
                Ok(())
            }
        }
    }
}

fn check(source: &Source) -> Result<(), Stop> {
    let loaded = source.load()?;
    crate::wiring::policy::policy(&loaded.config)?;
    for warning in &loaded.warnings {
        say(format_args!("warning: {warning}"));
    }
    say("The configuration is good.");
    Ok(())
}
