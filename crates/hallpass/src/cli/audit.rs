//! `hallpass audit`: read, search, verify and keep the trail.

mod keeping;
mod keys;
mod proof;
mod reading;
mod replicas;

use std::path::PathBuf;

use clap::Subcommand;

use super::{Stop, config::Source, say, table};

/// Read, search, verify and keep the audit trail
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show the last records
    #[command(after_help = "Example:\n  hallpass audit tail .hallpass/audit -n 20")]
    Tail(reading::Tail),
    /// Find records
    #[command(
        after_help = "Examples:\n  hallpass audit search .hallpass/audit --subject user-42 --outcome refused --since 2026-11-01T00:00:00Z\n  HALLPASS_AUDIT_STORE=postgres://… hallpass audit search --grant gr_0193…    all replicas"
    )]
    Search(reading::Search),
    /// Write records as JSON lines or as a table for spreadsheets
    #[command(
        after_help = "Example:\n  hallpass audit export .hallpass/audit --format csv --since 2026-11-01T00:00:00Z > november.csv"
    )]
    Export(reading::Export),
    /// Check every record, the chain and the checkpoints; exits 1 naming the first bad one
    #[command(
        after_help = "Example:\n  hallpass audit verify /var/lib/hallpass/audit --checkpoint kept-elsewhere.txt --public-key hallpass.pub\n  HALLPASS_AUDIT_STORE=postgres://… hallpass audit verify    all replicas, in their database"
    )]
    Verify(proof::Verify),
    /// Show by a proof that a record is among those a checkpoint states, or that
    /// the trail only grew since a checkpoint
    #[command(
        after_help = "Examples:\n  hallpass audit prove /var/lib/hallpass/audit --record 4711\n  hallpass audit prove /var/lib/hallpass/audit --since kept-elsewhere.txt"
    )]
    Prove(proof::Prove),
    /// The public key that checks the trail's checkpoints
    #[command(after_help = "Example:\n  hallpass audit key --config hallpass.toml > hallpass.pub")]
    Key(keys::Where),
    /// The keyed hashes under which the trail may hold a sensitive value, read
    /// from standard input; one for each key there was, newest first
    #[command(
        after_help = "Example:\n  printf %s \"$LEAKED\" | hallpass audit hash --config hallpass.toml"
    )]
    Hash(keys::Where),
    /// Hash sensitive values under a new key from the next start on; the old
    /// keys stay for `audit hash`
    #[command(after_help = "Example:\n  hallpass audit rotate-key --config hallpass.toml")]
    RotateKey(keys::Where),
    /// Archive and remove segments now; the server does it each minute
    #[command(after_help = "Example:\n  hallpass audit archive --config hallpass.toml")]
    Archive(keeping::Archive),
    /// Bring archived segments back into a folder of their own
    #[command(
        after_help = "Example:\n  hallpass audit restore --config hallpass.toml --to case-7 --since 2026-03-01T00:00:00Z"
    )]
    Restore(keeping::Restore),
    /// Erase what a person's records, or those of a kind, say; the server must
    /// be stopped
    #[command(
        after_help = "Examples:\n  hallpass audit erase --config hallpass.toml --subject user-42 --reason \"request 17\"\n  hallpass audit erase --config hallpass.toml --action auth.check --before 2026-08-01T00:00:00Z --reason \"kept 90 days\""
    )]
    Erase(keeping::Erase),
    /// Keep every segment from being removed, or lift that
    #[command(
        after_help = "Example:\n  hallpass audit hold --config hallpass.toml --reason \"case 7\"\n  hallpass audit hold --config hallpass.toml --lift"
    )]
    Hold(keeping::Hold),
}

impl Audit {
    pub(crate) fn run(self) -> Result<(), Stop> {
        match self {
            Self::Tail(command) => command.run(),
            Self::Search(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Verify(command) => command.run(),
            Self::Prove(command) => command.run(),
            Self::Key(place) => keys::public_key(&place),
            Self::Hash(place) => keys::hash(&place),
            Self::RotateKey(place) => keys::rotate(&place),
            Self::Archive(command) => command.run(),
            Self::Restore(command) => command.run(),
            Self::Erase(command) => command.run(),
            Self::Hold(command) => command.run(),
        }
    }
}

/// A folder that must be there.
fn existing(dir: PathBuf) -> Result<PathBuf, Stop> {
    if dir.is_dir() {
        return Ok(dir);
    }
    Err(Stop::usage(format!("{} is no directory", dir.display())))
}
