//! `hallpass scan fingerprint`: a key that others may look for and not learn.

use std::{
    io::{ErrorKind, Read, stdin},
    path::PathBuf,
};

use hallpass_scan::KnownKeys;
use zeroize::Zeroizing;

use crate::cli::{Stop, say};

/// Longest value that is read, in bytes.
const LONGEST: u64 = 4096;

/// Write the keyed hash of a key read from standard input
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  printenv OPENAI_API_KEY | hallpass scan fingerprint --name main --file own.json
  hallpass scan fingerprint < /run/secrets/openai")]
pub(super) struct Fingerprint {
    /// What to call the key in reports
    #[arg(long, default_value = "own key")]
    name: String,
    /// Add it to this file, made where it is missing; otherwise printed
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Fingerprint {
    pub(super) fn run(&self) -> Result<(), Stop> {
        let mut value = Zeroizing::new(String::new());
        stdin().take(LONGEST).read_to_string(&mut value)?;
        let mut known = self.known()?;
        known.add(&self.name, value.trim_end_matches(['\r', '\n']))?;
        let text = known.to_json()?;
        match &self.file {
            Some(path) => std::fs::write(path, format!("{text}\n"))?,
            None => say(text),
        }
        Ok(())
    }

    /// What the file holds already.
    fn known(&self) -> Result<KnownKeys, Stop> {
        let Some(path) = &self.file else {
            return Ok(KnownKeys::generate()?);
        };
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(KnownKeys::parse(&text)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(KnownKeys::generate()?),
            Err(error) => Err(error.into()),
        }
    }
}
