//! What stands beside a sealed segment: its records' hashes, and its index.
//!
//! `trail-<first>.hashes` is 32 bytes a record. It stays when the segment goes,
//! so that the rest still verifies. `trail-<first>.index` says what a search
//! may find within. Both are made from the segment and made again when they
//! do not fit it.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{
    chain::Hash,
    gist::Gist,
    line::{Flaw, Sealed},
    merkle::Tree,
    primary::Anchor,
    segment::{Lines, Segment, firsts, stem},
    terms::{self, BLOCK, Term},
};

/// The ending of the files of hashes.
pub(crate) const HASHES: &str = ".hashes";
/// The ending of the indexes.
pub(crate) const INDEX: &str = ".index";
/// How an index begins; another version has another beginning.
const MAGIC: &[u8; 8] = b"hpindex3";
/// How one began whose filter has other terms.
const MAGIC_OTHER_TERMS: &[u8; 8] = b"hpindex2";
/// How one began that besides has a hash of the segment's file before the roots.
const MAGIC_WITH_HASH: &[u8; 8] = b"hpindex1";
/// Bytes of an index before the roots of its tree.
const HEAD: usize = 64;

pub(crate) fn path(dir: &Path, first: u64, ending: &str) -> PathBuf {
    dir.join(format!("{}{ending}", stem(first)))
}

/// What is known of a sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) first: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Earliest and latest time of its records, in milliseconds.
    pub(crate) times: (i64, i64),
    /// The tree over all records up to its last.
    pub(crate) tree: Tree,
    blocks: u64,
    /// Where the filter begins in the file, if it is one that can be asked.
    filter_at: Option<u64>,
}

impl Index {
    /// Reads an index's head; none when there is none, or none that can be read.
    pub(crate) fn open(dir: &Path, first: u64) -> Option<Self> {
        let mut file = File::open(path(dir, first, INDEX)).ok()?;
        let mut head = [0; HEAD];
        file.read_exact(&mut head).ok()?;
        let (skipped, has_terms) = match head.first_chunk()? {
            MAGIC => (0, true),
            MAGIC_OTHER_TERMS => (0, false),
            MAGIC_WITH_HASH => (32, false),
            _ => return None,
        };
        file.seek_relative(skipped).ok()?;
        let mut peaks = [[0; 32]; 64];
        let count = number(&head, 7) as usize;
        for peak in peaks.get_mut(..count)? {
            file.read_exact(peak).ok()?;
        }
        let peaks = peaks.into_iter().take(count).map(Hash::from_bytes);
        let records = number(&head, 2);
        let index = Self {
            first: number(&head, 1),
            records,
            bytes: number(&head, 3),
            times: (
                number(&head, 4).cast_signed(),
                number(&head, 5).cast_signed(),
            ),
            tree: Tree::restore(first.checked_add(records)?, peaks.collect())?,
            blocks: number(&head, 6),
            filter_at: file.stream_position().ok().filter(|_| has_terms),
        };
        Some(index).filter(|index| index.first == first)
    }

    fn head(&self) -> Vec<u8> {
        let mut head = MAGIC.to_vec();
        let (from, to) = self.times;
        let peaks = self.tree.peaks();
        for number in [
            self.first,
            self.records,
            self.bytes,
            from.cast_unsigned(),
            to.cast_unsigned(),
            self.blocks,
            peaks.len() as u64,
        ] {
            head.extend_from_slice(&number.to_le_bytes());
        }
        peaks
            .iter()
            .for_each(|peak| head.extend_from_slice(peak.as_bytes()));
        head
    }

    /// Whether it is all that an index is today; an older one still tells when
    /// its records were, and their tree.
    fn is_current(&self) -> bool {
        self.filter_at.is_some()
    }

    /// Whether a sealed segment still is what this is the index of.
    pub(crate) fn fits(&self, segment: &Segment) -> bool {
        let length = segment.path.metadata().map(|file| file.len());
        length.is_ok_and(|length| length == self.bytes)
    }

    /// Whether the segment may hold a record with all of these terms.
    pub(crate) fn may_hold(&self, dir: &Path, terms: &[Term]) -> bool {
        let file = File::open(path(dir, self.first, INDEX));
        let (Ok(file), Some(filter_at)) = (file, self.filter_at) else {
            return true;
        };
        terms.iter().all(|&term| {
            let mut block = [0; BLOCK];
            let at = filter_at + term.block(self.blocks.max(1)) * BLOCK as u64;
            let read = file.read_exact_at(&mut block, at);
            read.is_err() || terms::may_hold(&block, term)
        })
    }
}

fn number(head: &[u8; HEAD], place: usize) -> u64 {
    let (numbers, _) = head.as_chunks::<8>();
    numbers
        .get(place)
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Makes the files beside a sealed segment. `before` is the tree up to it.
pub(crate) fn make(dir: &Path, gist: &Gist, before: Tree) -> io::Result<Index> {
    let blocks = terms::filter(&gist.terms);
    let mut index = Index {
        first: gist.first,
        records: gist.hashes.len() as u64,
        bytes: gist.bytes,
        times: gist.times,
        tree: before,
        blocks: blocks.len() as u64,
        filter_at: None,
    };
    let mut hashes = Vec::with_capacity(gist.hashes.len() * 32);
    for &hash in &gist.hashes {
        index.tree.push(hash);
        hashes.extend_from_slice(hash.as_bytes());
    }
    let mut bytes = index.head();
    index.filter_at = Some(bytes.len() as u64);
    bytes.extend_from_slice(blocks.as_flattened());
    write_whole(&path(dir, gist.first, HASHES), &hashes)?;
    write_whole(&path(dir, gist.first, INDEX), &bytes)?;
    Ok(index)
}

/// Looks whether a sealed segment still holds the records it was indexed with.
///
/// # Errors
///
/// Which record was changed, or is missing or too many; or when a file can't be
/// read.
pub(crate) fn confirm(dir: &Path, segment: &Segment) -> io::Result<()> {
    let kept = hashes(dir, segment.first)?.unwrap_or_default();
    let mut lines = Lines::open(&segment.path)?;
    for (number, hash) in (segment.first..).zip(kept) {
        let record = match lines.next()? {
            Some(line) => line.and_then(Sealed::read),
            None => return Err(wrong(segment, &format!("record {number} is missing"))),
        };
        let flaw = match record {
            Ok(record) if record.hash == hash => continue,
            Ok(_) => Flaw::Hash,
            Err(flaw) => flaw,
        };
        return Err(wrong(segment, &format!("record {number}: {flaw}")));
    }
    match lines.has_more()? {
        true => Err(wrong(segment, "it holds more than was indexed")),
        false => Ok(()),
    }
}

fn wrong(segment: &Segment, what: &str) -> io::Error {
    io::Error::other(format!("{}: {what}", segment.name()))
}

/// Writes a file whole or not at all, and durably.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// The hashes kept of a segment's records; none when they are not kept.
pub(crate) fn hashes(dir: &Path, first: u64) -> io::Result<Option<Vec<Hash>>> {
    match fs::read(path(dir, first, HASHES)) {
        Ok(bytes) => {
            let (hashes, rest) = bytes.as_chunks::<32>();
            if !rest.is_empty() {
                return Err(io::Error::other(
                    "a file of hashes does not end with a hash",
                ));
            }
            Ok(Some(hashes.iter().copied().map(Hash::from_bytes).collect()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The tree over all records before a number, from what is kept beside.
pub(crate) fn tree_before(dir: &Path, first: u64) -> io::Result<Tree> {
    let kept = firsts(dir, HASHES)?;
    let before: Vec<_> = kept.into_iter().filter(|&kept| kept < first).collect();
    let known = before.iter().rev().find_map(|&kept| Index::open(dir, kept));
    let anchored = || Ok::<_, io::Error>(Anchor::of(dir)?.map(|anchor| anchor.tree));
    let mut tree = match known {
        Some(index) => index.tree,
        None => anchored()?.unwrap_or_default(),
    };
    for kept in before {
        if kept != tree.size() {
            continue;
        }
        for hash in hashes(dir, kept)?.unwrap_or_default() {
            tree.push(hash);
        }
    }
    if tree.size() != first {
        return Err(io::Error::other(format!(
            "the hashes of the records before {first} are not all there"
        )));
    }
    Ok(tree)
}

/// Makes what is missing or stale beside the sealed segments; says how many.
/// What is known of them need not be read again.
pub(crate) fn make_missing(
    dir: &Path,
    sealed: &[Segment],
    known: impl IntoIterator<Item = Gist>,
) -> io::Result<usize> {
    let known = known.into_iter().map(|gist| (gist.first, gist));
    let mut known: HashMap<u64, Gist> = known.collect();
    let mut made = 0;
    for segment in sealed {
        let known = known.remove(&segment.first);
        let index = Index::open(dir, segment.first).filter(|index| index.fits(segment));
        if let Some(index) = index
            && path(dir, segment.first, HASHES).exists()
        {
            if index.is_current() {
                continue;
            }
            // The hashes that were kept are not replaced by those of a segment
            // that was changed since.
            confirm(dir, segment)?;
        }
        let length = segment.path.metadata()?.len();
        let gist = match known.filter(|gist| gist.bytes == length) {
            Some(gist) => gist,
            None => Gist::read(segment)?,
        };
        make(dir, &gist, tree_before(dir, segment.first)?)?;
        made += 1;
    }
    Ok(made)
}
