//! Makes the checkpoints of a trail while it grows, beside the writing.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use hallpass_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    chain::Hash,
    checkpoint::{BadNote, Checkpoint, CheckpointKey},
    hear::RecordFollower,
    merkle::Tree,
    primary::Anchor,
    reader::ReadError,
    segment::list,
    sidecar::{Index, tree_before},
    trail::Progress,
};

/// The file of a trail's checkpoints, oldest first.
pub(crate) const CHECKPOINTS: &str = "checkpoints.ndjson";
/// The file of the key they are checked with.
pub(crate) const PUBLIC_KEY: &str = "checkpoint.pub";

/// A checkpoint as it is kept and sent: one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCheckpoint {
    /// When it was made.
    pub time: Timestamp,
    /// The number of records it states.
    pub size: u64,
    /// The hash of the last of them, in hexadecimal.
    pub head: String,
    /// The signed note; it alone counts.
    pub note: String,
}

impl SignedCheckpoint {
    /// The line, without a line feed.
    #[must_use]
    pub fn to_line(&self) -> String {
        // Neither a text nor a number fails to serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Why no checkpoint can be made.
#[derive(Debug, thiserror::Error)]
pub enum NotaryError {
    /// The trail can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file can't be read or written.
    #[error("the checkpoints can't be kept: {0}")]
    Io(#[from] io::Error),
    /// An earlier checkpoint is not this key's.
    #[error("the last checkpoint kept {0}")]
    Note(#[from] BadNote),
    /// The trail is not what was signed before.
    #[error(
        "the trail is not the one that was signed: a checkpoint states {signed} records, and {what}. Nothing more is signed. Run `hallpass audit verify` and restore the trail from a copy."
    )]
    Contradiction {
        /// The records that were signed.
        signed: u64,
        /// What is there instead.
        what: String,
    },
}

/// Follows a trail and signs how far it has come.
pub struct Notary {
    dir: PathBuf,
    key: CheckpointKey,
    follower: RecordFollower,
    tree: Tree,
    head: Option<Hash>,
    /// The checkpoint made last.
    signed: Option<Checkpoint>,
    /// Whether a write that failed may have left part of a line.
    torn: bool,
}

impl Notary {
    /// Goes on after the last checkpoint of an open trail's directory, and
    /// leaves the public key there.
    ///
    /// # Errors
    ///
    /// [`NotaryError`] when the directory can't be used, or the last
    /// checkpoint is another key's.
    pub fn open(dir: &Path, key: CheckpointKey, trail: &Progress) -> Result<Self, NotaryError> {
        let public = format!("{}\n", key.public());
        let kept = dir.join(PUBLIC_KEY);
        if fs::read_to_string(&kept).ok().as_ref() != Some(&public) {
            crate::sidecar::write_whole(&kept, public.as_bytes())?;
        }
        let signed = last_line(&dir.join(CHECKPOINTS))?
            .map(|kept| key.public().open(&kept.note))
            .transpose()?;
        let tree = known_tree(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            follower: RecordFollower::new(dir, tree.size(), trail),
            tree,
            key,
            head: None,
            signed,
            torn: false,
        })
    }

    /// Takes in the records below a number; says how many are not signed.
    ///
    /// # Errors
    ///
    /// [`NotaryError`] when the trail can't be read, or is not the one that
    /// was signed before.
    pub fn catch_up(&mut self, durable: u64) -> Result<u64, NotaryError> {
        while let Some((number, record)) = self.follower.next_record(durable)? {
            let hash = record.hash().filter(|_| number == self.tree.size());
            let Some(hash) = hash else {
                return Err(io::Error::other("a record is missing or has no hash").into());
            };
            self.tree.push(hash);
            self.head = Some(hash);
            self.check()?;
        }
        let signed = self.signed.as_ref().map_or(0, |signed| signed.size);
        if signed > self.tree.size() {
            let what = format!("it has {}", self.tree.size());
            return Err(NotaryError::Contradiction { signed, what });
        }
        Ok(self.tree.size() - signed)
    }

    /// Ends when so many records wait that they are worth a step.
    pub async fn plenty(&self) {
        self.follower.plenty().await;
    }

    fn check(&self) -> Result<(), NotaryError> {
        match &self.signed {
            Some(signed) if signed.size == self.tree.size() && signed.root != self.tree.root() => {
                Err(NotaryError::Contradiction {
                    signed: signed.size,
                    what: "the trail's first records have another root".to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Signs what was taken in and keeps the checkpoint; none when nothing is
    /// new.
    ///
    /// # Errors
    ///
    /// [`NotaryError::Io`] when it can't be kept; it does not count then.
    pub fn sign(&mut self, now: Timestamp) -> Result<Option<SignedCheckpoint>, NotaryError> {
        let (size, root) = (self.tree.size(), self.tree.root());
        let Some(head) = self.head else {
            return Ok(None);
        };
        if self.signed.as_ref().is_some_and(|last| last.size >= size) {
            return Ok(None);
        }
        let checkpoint = SignedCheckpoint {
            time: now,
            size,
            head: head.to_string(),
            note: self.key.sign(size, root),
        };
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.dir.join(CHECKPOINTS))?;
        // Stands by itself even after what an earlier write left.
        let begin = if self.torn { "\n" } else { "" };
        self.torn = true;
        file.write_all(format!("{begin}{}\n", checkpoint.to_line()).as_bytes())?;
        self.torn = false;
        self.signed = Some(Checkpoint {
            origin: self.key.public().origin().to_owned(),
            size,
            root,
        });
        Ok(Some(checkpoint))
    }
}

/// The largest tree that need not be counted again.
fn known_tree(dir: &Path) -> io::Result<Tree> {
    let segments = list(dir)?;
    let indexed = segments.iter().rev().skip(1);
    let known = indexed
        .filter_map(|segment| Index::open(dir, segment.first).filter(|index| index.fits(segment)))
        .map(|index| index.tree)
        .next();
    match (known, segments.first()) {
        (Some(tree), _) => Ok(tree),
        (None, Some(first)) => tree_before(dir, first.first),
        (None, None) => Ok(Anchor::of(dir)?
            .map(|anchor| anchor.tree)
            .unwrap_or_default()),
    }
}

/// The last checkpoint kept. A torn last line is ended, so that the next one
/// stands by itself.
fn last_line(path: &Path) -> io::Result<Option<SignedCheckpoint>> {
    /// Longer than several lines.
    const END: u64 = 1 << 16;
    let mut file = match OpenOptions::new().read(true).append(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let start = file.metadata()?.len().saturating_sub(END);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    if end.last().is_some_and(|&last| last != b'\n') {
        file.write_all(b"\n")?;
    }
    let mut lines = end.rsplit(|&byte| byte == b'\n');
    Ok(lines.find_map(|line| serde_json::from_slice(line).ok()))
}
