//! The checkpoints a trail is held against.

use std::{collections::VecDeque, fs, io, path::Path};

use super::{Evidence, VerifyError};
use crate::{
    checkpoint::{Checkpoint, PublicKey},
    merkle::Tree,
    notary::{CHECKPOINTS, PUBLIC_KEY, SignedCheckpoint},
};

/// A checkpoint and where it stands.
struct Kept {
    place: String,
    checkpoint: Checkpoint,
}

/// Checkpoints whose signatures are right, smallest first.
#[derive(Default)]
pub(super) struct Signed {
    left: VecDeque<Kept>,
    pub(super) checked: u64,
    /// How many records the last one that held states.
    pub(super) confirmed: u64,
}

impl Signed {
    /// Reads the checkpoints beside a trail and those kept elsewhere.
    pub(super) fn read(dir: &Path, evidence: &Evidence) -> Result<Self, VerifyError> {
        let key = match &evidence.key {
            Some(key) => Some(key.clone()),
            None => beside(dir)?,
        };
        let Some(key) = key else {
            return match evidence.checkpoints.first() {
                Some((place, _)) => Err(VerifyError::Note {
                    place: place.clone(),
                    what: crate::checkpoint::BadNote::NotOurs,
                }),
                None => Ok(Self::default()),
            };
        };
        let mut left = Vec::new();
        for (place, note) in local(dir)?.iter().chain(&evidence.checkpoints) {
            let opened = key.open(note).map_err(|what| VerifyError::Note {
                place: place.clone(),
                what,
            });
            left.push(Kept {
                place: place.clone(),
                checkpoint: opened?,
            });
        }
        left.sort_by_key(|kept| kept.checkpoint.size);
        Ok(Self {
            left: left.into(),
            ..Self::default()
        })
    }

    /// Holds a tree against the checkpoints of its size.
    pub(super) fn check(&mut self, tree: &Tree) -> Result<(), VerifyError> {
        while let Some(kept) = self
            .left
            .pop_front_if(|kept| kept.checkpoint.size <= tree.size())
        {
            if kept.checkpoint.size < tree.size() || kept.checkpoint.root != tree.root() {
                return Err(VerifyError::SignedOtherwise {
                    place: kept.place,
                    size: kept.checkpoint.size,
                    after: self.confirmed,
                });
            }
            self.confirmed = tree.size();
            self.checked += 1;
        }
        Ok(())
    }

    /// Checks that no checkpoint states more records than there are.
    pub(super) fn end(&self, last: Option<u64>) -> Result<(), VerifyError> {
        let Some(kept) = self.left.front() else {
            return Ok(());
        };
        Err(VerifyError::SignedRollback {
            place: kept.place.clone(),
            size: kept.checkpoint.size,
            last,
        })
    }
}

fn beside(dir: &Path) -> Result<Option<PublicKey>, VerifyError> {
    let path = dir.join(PUBLIC_KEY);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(VerifyError::Io { path, source }),
    };
    let read = text.parse::<PublicKey>().map_err(io::Error::other);
    read.map(Some)
        .map_err(|source| VerifyError::Io { path, source })
}

/// The checkpoints beside the trail; the last may be just being written.
fn local(dir: &Path) -> Result<Vec<(String, String)>, VerifyError> {
    let path = dir.join(CHECKPOINTS);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(VerifyError::Io { path, source }),
    };
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let lines = whole.enumerate().filter(|(_, line)| line.trim() != "");
    let read = lines.filter_map(|(index, line)| {
        // What a crash tore is followed by a line feed and is no checkpoint.
        let kept: SignedCheckpoint = serde_json::from_str(line).ok()?;
        Some((format!("{CHECKPOINTS}, line {}", index + 1), kept.note))
    });
    Ok(read.collect())
}
