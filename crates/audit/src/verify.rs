//! Checking a whole trail.

mod signed;
mod walk;

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    chain::{Hash, Link},
    checkpoint::{BadNote, PublicKey},
    line::Flaw,
};
use walk::Walk;

/// The first record of a trail that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {sequence} in {segment}{}, at byte {offset}: {flaw}", at_line(*.line))]
pub struct BadRecord {
    /// The segment's file.
    pub segment: String,
    /// The number the record has, or should have.
    pub sequence: u64,
    /// The line within the file, from 1, where all lines were read.
    pub line: Option<u64>,
    /// Where the line begins, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub flaw: Flaw,
}

fn at_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

/// Why a trail does not verify.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A record is not as it was written.
    #[error("{0}")]
    Bad(BadRecord),
    /// A segment is not there.
    #[error(
        "records {from} to {to} are missing: there is no segment that begins with record {from}"
    )]
    MissingSegment {
        /// The first missing record.
        from: u64,
        /// The last missing record.
        to: u64,
    },
    /// A record was erased and no record says so.
    #[error(
        "record {sequence} was erased, and no trail.erase record says so: someone hid what it said"
    )]
    Erased {
        /// The record.
        sequence: u64,
    },
    /// The trail ends before the place that is known from elsewhere.
    #[error("the trail was rolled back: record {} is known to have been written, but the trail ends {}", expected.sequence, end(*.last))]
    RolledBack {
        /// The place known from elsewhere.
        expected: Link,
        /// The number of the last record that is there.
        last: Option<u64>,
    },
    /// The trail holds another record at the place known from elsewhere.
    #[error("the trail was replaced: record {} was written with the hash {}, but has {found}", expected.sequence, expected.hash)]
    Replaced {
        /// The place known from elsewhere.
        expected: Link,
        /// The hash the record has here.
        found: Hash,
    },
    /// Records are known by their hashes only, and nothing says why.
    #[error(
        "records {from} to {to} were removed: their hashes are there, but no record says that they were archived or purged"
    )]
    Removed {
        /// The first removed record.
        from: u64,
        /// The last removed record.
        to: u64,
    },
    /// The hashes kept beside a segment are not its records'.
    #[error("{file} does not hold the hashes of its records, first of record {sequence}")]
    Hashes {
        /// The file of hashes.
        file: String,
        /// The first record whose hash differs.
        sequence: u64,
    },
    /// A checkpoint is not what the key signed.
    #[error("the checkpoint in {place} {what}")]
    Note {
        /// Where it stands.
        place: String,
        /// What is wrong with it.
        what: BadNote,
    },
    /// More records were signed than there are.
    #[error("the trail was rolled back: the checkpoint in {place} states {size} records, but the trail ends {}", end(*.last))]
    SignedRollback {
        /// Where the checkpoint stands.
        place: String,
        /// How many records it states.
        size: u64,
        /// The number of the last record that is there.
        last: Option<u64>,
    },
    /// Other records were signed than are there.
    #[error("the trail was replaced: the checkpoint in {place} states another root for the first {size} records; the first bad one is {}", first_bad(*.after, *.size))]
    SignedOtherwise {
        /// Where the checkpoint stands.
        place: String,
        /// How many records it states.
        size: u64,
        /// How many records an earlier checkpoint confirms.
        after: u64,
    },
    /// A file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn first_bad(after: u64, size: u64) -> String {
    format!("record {after} or one after it, before record {size}")
}

fn end(last: Option<u64>) -> String {
    last.map_or_else(
        || "before its first record".to_owned(),
        |last| format!("with record {last}"),
    )
}

/// A trail that is whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many segments there are.
    pub segments: u64,
    /// How many records there are.
    pub records: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// The last record: kept elsewhere, it shows a later rollback.
    pub head: Option<Link>,
    /// The trail's own id.
    pub chain_uid: Option<String>,
    /// How many of the records are known by their hashes only.
    pub hash_only: u64,
    /// How many of the records were erased, and stand there by their hashes.
    pub erased: u64,
    /// How many of the records only the journal holds: a power cut took them
    /// from the last segment, and the server's next start brings them back.
    pub journaled: u64,
    /// How many checkpoints were checked.
    pub checkpoints: u64,
    /// How many of the records a checkpoint confirms.
    pub signed: u64,
}

/// What a trail is held against, beside itself.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// A place of the trail kept elsewhere.
    pub known: Option<Link>,
    /// The key of its checkpoints; otherwise the one beside the trail counts,
    /// which whoever can write the trail may have replaced.
    pub key: Option<PublicKey>,
    /// Checkpoints kept elsewhere: where each stands, and its signed note.
    pub checkpoints: Vec<(String, String)>,
    /// Records known by their hashes only need no explanation.
    pub partial: bool,
}

/// Reads a whole trail and checks each record and its place in the chain.
///
/// A record that a running server is just writing at the end is left out.
///
/// `known` is a place of the trail kept elsewhere; without it, records cut off
/// the end go unnoticed. `progress` is told after each segment what was
/// checked so far.
///
/// # Errors
///
/// [`VerifyError`] names the first thing that is wrong.
pub fn verify(
    dir: &Path,
    known: Option<Link>,
    progress: impl FnMut(&VerifyReport),
) -> Result<VerifyReport, VerifyError> {
    let evidence = Evidence {
        known,
        ..Evidence::default()
    };
    verify_against(dir, &evidence, progress)
}

/// As [`verify()`], and holds the trail against what is kept elsewhere.
///
/// # Errors
///
/// [`VerifyError`] names the first thing that is wrong.
pub fn verify_against(
    dir: &Path,
    evidence: &Evidence,
    mut progress: impl FnMut(&VerifyReport),
) -> Result<VerifyReport, VerifyError> {
    let parts = walk::parts(dir)?;
    let last = parts.len().saturating_sub(1);
    let mut walk = Walk::new(dir, evidence)?;
    for (index, part) in parts.iter().enumerate() {
        walk.part(part, index == last)?;
        progress(&walk.report);
    }
    walk.end()
}
