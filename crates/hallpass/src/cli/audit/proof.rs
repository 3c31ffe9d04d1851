//! Verifying a trail, and proving one record of it.

use std::path::{Path, PathBuf};

use hallpass_audit::{Evidence, PublicKey, SignedCheckpoint, VerifyReport};

use super::{Stop, existing, say};

/// `audit verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The directory of the segments
    dir: PathBuf,
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
        let dir = existing(self.dir)?;
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
        "bytes": report.bytes, "hash_only": report.hash_only,
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
    if report.hash_only > 0 {
        say(format_args!(
            "Of {} of them only the hashes are here: they were archived or removed.",
            report.hash_only
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
    #[arg(long)]
    record: u64,
}

impl Prove {
    pub(super) fn run(self) -> Result<(), Stop> {
        let dir = existing(self.dir)?;
        let proof = hallpass_audit::prove(&dir, self.record)
            .map_err(|error| Stop::no(error.to_string()))?;
        let nodes: Vec<String> = proof.nodes.iter().map(ToString::to_string).collect();
        say(serde_json::json!({
            "record": self.record, "hash": proof.hash.to_string(),
            "checkpoint": proof.note, "proof": nodes,
        }));
        Ok(())
    }
}
