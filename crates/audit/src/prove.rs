//! Proving that a record is among those a checkpoint states.

use std::{fs, io, path::Path};

use crate::{
    chain::Hash,
    checkpoint::{Checkpoint, PublicKey},
    line::{Sealed, hash_of},
    merkle::{consistency_proof, inclusion_proof, is_consistent},
    notary::{CHECKPOINTS, PUBLIC_KEY, SignedCheckpoint},
    segment::{Lines, Segment, firsts, list},
    sidecar::{self, HASHES},
};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum NoProof {
    /// No checkpoint states the record yet.
    #[error(
        "no checkpoint states record {0} yet: the server makes one within seconds while it runs"
    )]
    Unsigned(u64),
    /// The newest checkpoint does not begin with the one given.
    #[error(
        "the trail is not the one that was signed: its first {0} records are others than the checkpoint given states. Run `hallpass audit verify` with it"
    )]
    Otherwise(u64),
    /// The hashes before it are not all there.
    #[error("the hashes of the records before {0} are not all there")]
    Incomplete(u64),
    /// A file can't be read.
    #[error("the trail can't be read: {0}")]
    Io(#[from] io::Error),
}

/// That a record is among those a checkpoint states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The record's hash.
    pub hash: Hash,
    /// The signed note of the first checkpoint that states it.
    pub note: String,
    /// The tree's nodes from the record to the root, nearest first.
    pub nodes: Vec<Hash>,
}

/// Proves a record from what is in a trail's directory.
///
/// # Errors
///
/// [`NoProof`] says what is missing.
pub fn prove(dir: &Path, record: u64) -> Result<Proof, NoProof> {
    let (checkpoint, note) = first_with(dir, record)?.ok_or(NoProof::Unsigned(record))?;
    let hashes = all_hashes(dir, checkpoint.size)?;
    let number = usize::try_from(record).map_err(io::Error::other)?;
    let nodes = inclusion_proof(&hashes, number).ok_or(NoProof::Unsigned(record))?;
    Ok(Proof {
        hash: hashes[number],
        note,
        nodes,
    })
}

/// That a trail only grew from one checkpoint to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// The signed note of the newest checkpoint.
    pub note: String,
    /// The tree's nodes that both roots are made of.
    pub nodes: Vec<Hash>,
}

/// Proves that the newest checkpoint's records begin with those of an older one.
///
/// # Errors
///
/// [`NoProof`] says what is missing, or that the trail is another one.
pub fn prove_growth(dir: &Path, old: &Checkpoint) -> Result<Growth, NoProof> {
    let newest = checkpoints(dir)?.pop();
    let (new, note) = newest
        .filter(|(new, _)| new.size >= old.size)
        .ok_or(NoProof::Unsigned(old.size.saturating_sub(1)))?;
    let hashes = all_hashes(dir, new.size)?;
    let size = usize::try_from(old.size).map_err(io::Error::other)?;
    let nodes = consistency_proof(&hashes, size).ok_or(NoProof::Unsigned(0))?;
    let (before, now) = ((old.size, old.root), (new.size, new.root));
    if old.origin != new.origin || !is_consistent(before, now, &nodes) {
        return Err(NoProof::Otherwise(old.size));
    }
    Ok(Growth { note, nodes })
}

/// The first checkpoint that states a record.
fn first_with(dir: &Path, record: u64) -> io::Result<Option<(Checkpoint, String)>> {
    let kept = checkpoints(dir)?.into_iter();
    let mut stating = kept.filter(|(checkpoint, _)| checkpoint.size > record);
    Ok(stating.next())
}

/// The checkpoints beside a trail that its key has signed, oldest first.
fn checkpoints(dir: &Path) -> io::Result<Vec<(Checkpoint, String)>> {
    let read = |name| match fs::read_to_string(dir.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    };
    let Ok(key) = read(PUBLIC_KEY)?.parse::<PublicKey>() else {
        return Ok(Vec::new());
    };
    let text = read(CHECKPOINTS)?;
    let kept = text.lines().filter_map(|line| {
        let kept: SignedCheckpoint = serde_json::from_str(line).ok()?;
        Some((key.open(&kept.note).ok()?, kept.note))
    });
    Ok(kept.collect())
}

/// The hashes of the first records, from the segments or from beside them.
fn all_hashes(dir: &Path, size: u64) -> Result<Vec<Hash>, NoProof> {
    let mut begins = firsts(dir, HASHES)?;
    begins.extend(list(dir)?.iter().map(|segment| segment.first));
    begins.sort_unstable();
    begins.dedup();
    let mut hashes = Vec::new();
    for first in begins {
        if hashes.len() as u64 >= size {
            break;
        }
        if first != hashes.len() as u64 {
            return Err(NoProof::Incomplete(first));
        }
        match sidecar::hashes(dir, first)? {
            Some(kept) => hashes.extend(kept),
            None => read_hashes(&Segment::new(dir, first), &mut hashes)?,
        }
    }
    if (hashes.len() as u64) < size {
        return Err(NoProof::Incomplete(size));
    }
    hashes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    Ok(hashes)
}

fn read_hashes(segment: &Segment, hashes: &mut Vec<Hash>) -> io::Result<()> {
    let mut lines = Lines::open(&segment.path)?;
    while let Some(Ok(line)) = lines.next()? {
        hashes.extend(hash_of(line));
    }
    Ok(())
}

/// The id of the trail in a directory; none while it has no record.
///
/// # Errors
///
/// When the directory can't be read.
pub fn chain_uid(dir: &Path) -> io::Result<Option<String>> {
    let Some(first) = list(dir)?.into_iter().next() else {
        return Ok(None);
    };
    let mut lines = Lines::open(&first.path)?;
    let line = lines.next()?.and_then(Result::ok);
    let sealed = line.and_then(|line| Sealed::read(line).ok());
    Ok(sealed.map(|sealed| sealed.chain))
}
