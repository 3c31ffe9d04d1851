//! Verifying a trail, and proving one record of it.

use std::path::{Path, PathBuf};

use hallpass_audit::{Anchor, Evidence, Hash, PublicKey, SignedCheckpoint, VerifyReport};
use secrecy::SecretString;

use super::{Stop, existing, say};

/// `audit verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The directory of the segments
    #[arg(required_unless_present = "store", conflicts_with = "store")]
    dir: Option<PathBuf>,
    /// The PostgreSQL database that has the trails of all replicas, or copies of
    /// them; better in the environment than here
    #[arg(long, value_name = "ADDRESS", env = "HALLPASS_AUDIT_STORE", hide_env_values = true, value_parser = super::reading::address,
          conflicts_with_all = ["checkpoint", "public_key", "partial"])]
    store: Option<SecretString>,
    /// Only of this replica, in a database
    #[arg(long, requires = "store")]
    replica: Option<String>,
    /// Checkpoints kept elsewhere: signed notes, or the lines the server sent
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The public key, as `hallpass audit key` printed it
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Some segments are elsewhere: their hashes are enough
    #[arg(long)]
    partial: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Stop> {
        let Some(dir) = self.dir else {
            let store = self.store.unwrap_or_default();
            return super::replicas::verify(store, self.replica, self.json);
        };
        let dir = existing(dir)?;
        if Anchor::of(&dir)?.is_some() {
            return Err(Stop::usage(
                "this directory is the working copy of a trail that is at home in PostgreSQL; check that: HALLPASS_AUDIT_STORE=postgres://… hallpass audit verify",
            ));
        }
        let mut evidence = Evidence {
            partial: self.partial,
            ..Evidence::default()
        };
        for path in &self.checkpoint {
            evidence.checkpoints.extend(notes(path)?);
        }
        if let Some(path) = &self.public_key {
            let key = read(path)?.parse::<PublicKey>();
            evidence.key =
                Some(key.map_err(|error| Stop::usage(format!("{} {error}", path.display())))?);
        }
        let report = hallpass_audit::verify_against(&dir, &evidence, |_| {})
            .map_err(|error| Stop::no(error.to_string()))?;
        if report.segments == 0 && report.hash_only == 0 {
            let text = format!(
                "{} holds no segment of a trail, so nothing was verified. Name the directory the server writes (`audit.dir`), or restore its segments",
                dir.display()
            );
            return Err(Stop::no(text));
        }
        if self.json {
            say(in_json(&report));
            return Ok(());
        }
        tell(&report, &evidence);
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, Stop> {
    std::fs::read_to_string(path)
        .map_err(|error| Stop::usage(format!("{} can't be read: {error}", path.display())))
}

/// The signed notes of a file: one note, or lines of JSON that hold one each.
fn notes(path: &Path) -> Result<Vec<(String, String)>, Stop> {
    let text = read(path)?;
    let place = path.display().to_string();
    if !text.trim_start().starts_with('{') {
        return Ok(vec![(place, text)]);
    }
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let place = format!("{place}, line {}", index + 1);
            let kept: SignedCheckpoint = serde_json::from_str(line)
                .map_err(|error| Stop::usage(format!("{place}: {error}")))?;
            Ok((place, kept.note))
        })
        .collect()
}

fn in_json(report: &VerifyReport) -> serde_json::Value {
    let head = report.head.as_ref();
    serde_json::json!({
        "verdict": "whole", "records": report.records, "segments": report.segments,
        "bytes": report.bytes, "hash_only": report.hash_only, "erased": report.erased,
        "journaled": report.journaled,
        "checkpoints": report.checkpoints, "signed": report.signed,
        "last_sequence": head.map(|head| head.sequence),
        "last_hash": head.map(|head| head.hash.to_string()),
    })
}

fn tell(report: &VerifyReport, evidence: &Evidence) {
    say(format_args!(
        "{} records in {} segments: every record and the chain are whole.",
        report.records, report.segments
    ));
    if report.journaled > 0 {
        say(format_args!(
            "The last {} of them are in the journal alone, as a power cut left them: the server's next start writes them to their segment.",
            report.journaled
        ));
    }
    if report.hash_only > 0 {
        say(format_args!(
            "Of {} of them only the hashes are here: they were archived or removed.",
            report.hash_only
        ));
    }
    if report.erased > 0 {
        say(format_args!(
            "{} of them were erased, and the trail says so.",
            report.erased
        ));
    }
    if report.checkpoints > 0 {
        let key = match evidence.key {
            Some(_) => "the key given",
            None => "the key beside the trail, which whoever can write there can replace",
        };
        say(format_args!(
            "{} checkpoints hold for the first {} records, by {key}.",
            report.checkpoints, report.signed
        ));
    }
    if let Some(head) = &report.head {
        say(format_args!(
            "The last is record {} with hash {}. Keep a checkpoint elsewhere: it shows a later rollback.",
            head.sequence, head.hash
        ));
    }
}

/// `audit prove`.
#[derive(Debug, clap::Args)]
pub(crate) struct Prove {
    /// The directory of the segments
    dir: PathBuf,
    /// The record's number
    #[arg(long, required_unless_present = "since")]
    record: Option<u64>,
    /// A checkpoint kept elsewhere: prove that the trail only grew since
    #[arg(long, value_name = "FILE", conflicts_with = "record")]
    since: Option<PathBuf>,
    /// The public key, as `hallpass audit key` printed it; else the one beside
    /// the trail
    #[arg(long, value_name = "FILE", requires = "since")]
    public_key: Option<PathBuf>,
}

impl Prove {
    pub(super) fn run(self) -> Result<(), Stop> {
        let dir = existing(self.dir)?;
        match (self.record, self.since) {
            (Some(record), _) => prove_record(&dir, record),
            (None, Some(file)) => prove_growth(&dir, &file, self.public_key.as_deref()),
            (None, None) => Err(Stop::usage("name a record or a checkpoint")),
        }
    }
}

fn prove_record(dir: &Path, record: u64) -> Result<(), Stop> {
    let proof = hallpass_audit::prove(dir, record).map_err(|error| Stop::no(error.to_string()))?;
    say(serde_json::json!({
        "record": record, "hash": proof.hash.to_string(),
        "checkpoint": proof.note, "proof": texts(&proof.nodes),
    }));
    Ok(())
}

/// Proves that the trail begins with what the newest checkpoint of a file
/// states.
fn prove_growth(dir: &Path, file: &Path, key: Option<&Path>) -> Result<(), Stop> {
    let beside = dir.join("checkpoint.pub");
    let path = key.unwrap_or(&beside);
    let key: PublicKey = read(path)?
        .parse()
        .map_err(|error| Stop::usage(format!("{} {error}", path.display())))?;
    let (place, note) = notes(file)?
        .pop()
        .ok_or_else(|| Stop::usage(format!("{} holds no checkpoint", file.display())))?;
    let old = key
        .open(&note)
        .map_err(|error| Stop::no(format!("{place} {error}")))?;
    let growth =
        hallpass_audit::prove_growth(dir, &old).map_err(|error| Stop::no(error.to_string()))?;
    say(serde_json::json!({
        "old_checkpoint": note, "checkpoint": growth.note, "proof": texts(&growth.nodes),
    }));
    Ok(())
}

fn texts(nodes: &[Hash]) -> Vec<String> {
    nodes.iter().map(ToString::to_string).collect()
}
