//! A trail whose records are durable elsewhere than on this disk.
//!
//! Its directory is then a working copy: what follows the trail reads it there,
//! and nothing that was told depends on it. It begins anew at each start, with
//! an [`Anchor`] in place of the records before.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    chain::{Chain, Hash, Link},
    merkle::Tree,
    segment::list,
    sidecar::write_whole,
};

/// The file that says what came before the records of a working copy.
const ANCHOR: &str = "working-copy.json";

/// Where a trail's records become durable before anyone is told.
///
/// Called on the writer's own thread, which it may hold up for as long as the
/// store is away: callers are then told that their records are late.
pub trait Primary: Send {
    /// Makes some records durable; once done twice is the same as once.
    ///
    /// `closing` tells whether the trail is being closed, so that a store that
    /// is away is not waited for without end.
    ///
    /// # Errors
    ///
    /// When they never will be, or another process writes this trail by now: no
    /// more records are taken then.
    fn commit(&mut self, batch: &Committing<'_>, closing: &dyn Fn() -> bool) -> io::Result<()>;
}

/// Some records that become durable together.
#[derive(Debug)]
pub struct Committing<'a> {
    /// Their lines, one after the other, each with its line feed.
    pub lines: &'a [u8],
    /// The record before the first of them.
    pub before: Option<Link>,
    /// Where the trail stands with them.
    pub after: &'a Anchor,
}

/// Where a trail stands: enough to go on with it, and with its checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The trail's own id.
    pub chain_uid: String,
    /// Its last record; none where it has none.
    pub head: Option<Link>,
    /// The tree over all its records.
    pub tree: Tree,
}

impl Anchor {
    /// A trail without records.
    #[must_use]
    pub fn begun(chain_uid: String) -> Self {
        Self {
            chain_uid,
            head: None,
            tree: Tree::default(),
        }
    }

    pub(crate) fn chain(&self) -> Chain {
        Chain {
            head: self.head,
            uid: Some(self.chain_uid.clone()),
        }
    }

    /// What a working copy's directory begins after; none in any other.
    ///
    /// # Errors
    ///
    /// When the file can't be read.
    pub fn of(dir: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(dir.join(ANCHOR)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let kept: Kept = serde_json::from_str(&text)?;
        kept.anchor()
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("{ANCHOR} does not say where a trail stands")))
    }

    /// Empties a working copy and lets it begin here.
    ///
    /// # Errors
    ///
    /// When the directory holds records of a trail that is at home there: they
    /// may be the only ones.
    pub(crate) fn begin(&self, dir: &Path) -> io::Result<()> {
        let segments = list(dir)?;
        if !segments.is_empty() && Self::of(dir)?.is_none() {
            return Err(io::Error::other(
                "it holds a trail of its own, which would be lost as a working copy; name another directory in audit.dir",
            ));
        }
        let kept = serde_json::to_vec(&Kept::of(self)).map_err(io::Error::other)?;
        write_whole(&dir.join(ANCHOR), &kept)?;
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let stale = |name: &str| name.starts_with("trail-") || name.starts_with("checkpoint");
            if name.is_some_and(stale) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// An anchor as it is written.
#[derive(Serialize, Deserialize)]
struct Kept {
    chain_uid: String,
    records: u64,
    head: Option<String>,
    peaks: Vec<String>,
}

impl Kept {
    fn of(anchor: &Anchor) -> Self {
        Self {
            chain_uid: anchor.chain_uid.clone(),
            records: anchor.tree.size(),
            head: anchor.head.map(|head| head.hash.to_string()),
            peaks: anchor.tree.peaks().iter().map(Hash::to_string).collect(),
        }
    }

    fn anchor(self) -> Option<Anchor> {
        let hashes: Result<Vec<Hash>, _> = self.peaks.iter().map(|text| text.parse()).collect();
        let hash: Option<Hash> = self.head.map(|text| text.parse()).transpose().ok()?;
        let head = hash.and_then(|hash| {
            let sequence = self.records.checked_sub(1)?;
            Some(Link { sequence, hash })
        });
        Some(Anchor {
            chain_uid: self.chain_uid,
            head,
            tree: Tree::restore(self.records, hashes.ok()?)?,
        })
    }
}

/// Walks the lines of one trail in their order, wherever they are kept.
#[derive(Debug, Clone)]
pub struct LineWalk {
    chain: Chain,
    tree: Option<Tree>,
}

impl LineWalk {
    /// Begins after what is known: the record before the first line, and the
    /// tree up to it. Without either, the first line says what it follows.
    #[must_use]
    pub fn after(head: Option<Link>, tree: Option<Tree>) -> Self {
        Self {
            chain: Chain { head, uid: None },
            tree,
        }
    }

    /// Begins at a record whose forerunners are gone: it says itself what it
    /// follows, and nothing can be held against that.
    ///
    /// # Errors
    ///
    /// [`crate::Flaw`] where the line is no whole record.
    pub fn at(line: &[u8]) -> Result<Self, crate::Flaw> {
        let sealed = crate::line::Sealed::read(line)?;
        let head = sealed.sequence.checked_sub(1);
        let head = head.zip(sealed.previous);
        let head = head.map(|(sequence, hash)| Link { sequence, hash });
        let tree = head.is_none().then(Tree::default);
        Ok(Self::after(head, tree))
    }

    /// Takes the next line, without its line feed.
    ///
    /// # Errors
    ///
    /// [`crate::Flaw`] where it was changed, or does not follow.
    pub fn accept(&mut self, line: &[u8]) -> Result<Link, crate::Flaw> {
        self.chain.accept(line)?;
        let head = self.chain.head.ok_or(crate::Flaw::Seal)?;
        if let Some(tree) = &mut self.tree {
            tree.push(head.hash);
        }
        Ok(head)
    }

    /// The record accepted last.
    #[must_use]
    pub const fn head(&self) -> Option<Link> {
        self.chain.head
    }

    /// The number of the record that comes next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.chain.next()
    }

    /// The tree over all records so far; none where their beginning is gone.
    #[must_use]
    pub const fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
    }
}
