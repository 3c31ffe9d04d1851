//! What a trail is checked for, and mended of, before it is written again.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use crate::{
    chain::{Chain, Hash, Link},
    disk::{SegmentFile, write_all},
    journal::Beyond,
    line::{Flaw, MAX_LINE, Sealed, whole_record},
    lock::LockError,
    primary::Anchor,
    segment::{Lines, Segment, firsts, list},
    sidecar::{self, HASHES},
    verify::BadRecord,
};

/// Why a trail can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes to the directory.
    #[error("the audit trail {} is in use by {}; give each server a directory of its own, or stop the other one", dir.display(), holder(*.pid))]
    Locked {
        /// The trail's directory.
        dir: PathBuf,
        /// The other process, where it could be found out.
        pid: Option<u32>,
    },
    /// A record other than a torn last one is damaged.
    #[error(
        "the audit trail is damaged: {0}; keep the files as they are, run `hallpass audit verify`, and restore the segment from a copy or start a new directory"
    )]
    Damaged(BadRecord),
    /// A file can't be read or written.
    #[error("the audit trail can't be opened: {step} {} failed: {source}; free or repair the disk, then start the server again", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

impl OpenError {
    pub(crate) fn io<'a>(
        step: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            step,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn lock(error: LockError, dir: &Path) -> Self {
        match error {
            LockError::Held(pid) => Self::Locked {
                dir: dir.to_owned(),
                pid,
            },
            LockError::Io(source) => Self::io("locking", dir)(source),
        }
    }
}

/// What was found when a trail was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The number of the last record that was there; none in a new trail.
    pub last_sequence: Option<u64>,
    /// The torn tail that was cut.
    pub cut: Option<Cut>,
    /// Records the last segment had lost and the journal still had.
    pub restored: u64,
}

/// A torn tail: what a write that never ended left of records nobody was
/// told were kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The segment's file.
    pub segment: String,
    /// Where the tail began, in bytes.
    pub offset: u64,
    /// How long it was, in bytes.
    pub bytes: u64,
    /// The SHA-256 of what was cut.
    pub hash: Hash,
    /// What was wrong with it.
    pub flaw: Flaw,
}

/// A trail that was read and can be gone on with.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) chain: Chain,
    /// The last segment and its good length in bytes.
    pub(crate) last: Option<(Segment, u64)>,
    pub(crate) cut: Option<Cut>,
    /// What comes after that length by the journal, in place of what is there.
    pub(crate) beyond: Beyond,
}

/// Checks the joints of all segments and every record of the last.
pub(crate) fn inspect(dir: &Path) -> Result<Found, OpenError> {
    let mut segments = list(dir).map_err(OpenError::io("listing", dir))?;
    let anchor = Anchor::of(dir).map_err(OpenError::io(
        "reading the working copy's beginning in",
        dir,
    ))?;
    let Some(last) = segments.pop() else {
        return Ok(Found {
            chain: anchor.map(|anchor| anchor.chain()).unwrap_or_default(),
            ..Found::default()
        });
    };
    let begins = segments.first().unwrap_or(&last).first;
    let mut chain = Chain {
        head: head_before(dir, begins)?,
        uid: None,
    };
    for segment in &segments {
        check_joint(segment, &mut chain)?;
    }
    check_last(last, chain)
}

/// The record before the first that is there, by the hash that was kept of it
/// when its segment went; none when nothing went.
fn head_before(dir: &Path, begins: u64) -> Result<Option<Link>, OpenError> {
    if begins == 0 {
        return Ok(None);
    }
    let io = |source| OpenError::io("reading the hashes in", dir)(source);
    let kept = firsts(dir, HASHES).map_err(io)?;
    let Some(&first) = kept.iter().rev().find(|&&first| first < begins) else {
        return Ok(None);
    };
    let hashes = sidecar::hashes(dir, first).map_err(io)?.unwrap_or_default();
    let sequence = begins - 1;
    let ends_there = first + hashes.len() as u64 == begins;
    Ok(hashes
        .last()
        .filter(|_| ends_there)
        .map(|&hash| Link { sequence, hash }))
}

/// Checks that a segment's first record follows the chain, and goes on from its last.
fn check_joint(segment: &Segment, chain: &mut Chain) -> Result<(), OpenError> {
    let io = |source| OpenError::io("reading", &segment.path)(source);
    let mut lines = Lines::open(&segment.path).map_err(io)?;
    check_name(segment, chain)?;
    let first = match lines.next().map_err(io)? {
        Some(line) => line.and_then(|line| chain.accept(line)),
        None => Err(Flaw::Unterminated),
    };
    first.map_err(|flaw| damaged(segment, chain.next(), 0, flaw))?;
    let (offset, line) = last_line(&segment.path).map_err(io)?;
    let sealed = line
        .strip_suffix(b"\n")
        .ok_or(Flaw::Unterminated)
        .and_then(Sealed::read)
        .map_err(|flaw| damaged(segment, chain.next(), offset, flaw))?;
    chain.head = Some(sealed.link());
    Ok(())
}

/// Checks that a segment is the one that comes next.
pub(crate) fn check_name(segment: &Segment, chain: &Chain) -> Result<(), OpenError> {
    if segment.first == chain.next() {
        return Ok(());
    }
    let flaw = Flaw::Sequence {
        expected: chain.next(),
        found: segment.first,
    };
    Err(damaged(segment, chain.next(), 0, flaw))
}

fn damaged(segment: &Segment, sequence: u64, offset: u64, flaw: Flaw) -> OpenError {
    OpenError::Damaged(BadRecord {
        segment: segment.name(),
        sequence,
        line: None,
        offset,
        flaw,
    })
}

/// The last line of a file and where it begins.
fn last_line(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(MAX_LINE as u64);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.take(MAX_LINE as u64).read_to_end(&mut end)?;
    let body = end.strip_suffix(b"\n").unwrap_or(&end);
    let place = body.iter().rposition(|&byte| byte == b'\n');
    let begin = place.map_or(0, |place| place + 1);
    Ok((start + begin as u64, end.split_off(begin)))
}

fn check_last(segment: Segment, mut chain: Chain) -> Result<Found, OpenError> {
    let io = |source| OpenError::io("reading", &segment.path)(source);
    check_name(&segment, &chain)?;
    let mut lines = Lines::open(&segment.path).map_err(io)?;
    let flaw = loop {
        let line = lines.next().map_err(io)?;
        match line.map(|line| line.and_then(|line| chain.accept(line))) {
            Some(Ok(())) => {}
            Some(Err(flaw)) => break Some(flaw),
            None => break None,
        }
    };
    let offset = lines.offset;
    let dir = segment.path.parent().unwrap_or(Path::new("."));
    let beyond = Beyond::read(dir, &chain).map_err(OpenError::io("reading the journal in", dir))?;
    let bytes = fs::metadata(&segment.path).map_err(io)?.len() - offset;
    let cut = match flaw {
        Some(flaw) if !beyond.covers(bytes) => Some(torn_tail(&segment, offset, flaw, &chain)?),
        _ => None,
    };
    Ok(Found {
        last: Some((segment, offset)),
        chain: beyond.chain.clone(),
        cut,
        beyond,
    })
}

/// Tells a torn last line, which is cut, from damage, which is not touched.
fn torn_tail(segment: &Segment, offset: u64, flaw: Flaw, chain: &Chain) -> Result<Cut, OpenError> {
    let io = |source| OpenError::io("reading", &segment.path)(source);
    let mut file = File::open(&segment.path).map_err(io)?;
    file.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut tail = Vec::new();
    let mut limited = file.take(MAX_LINE as u64 + 1);
    limited.read_to_end(&mut tail).map_err(io)?;
    if !is_torn(&tail, &flaw) {
        return Err(damaged(segment, chain.next(), offset, flaw));
    }
    Ok(Cut {
        segment: segment.name(),
        offset,
        bytes: tail.len() as u64,
        hash: Hash::of(&tail),
        flaw,
    })
}

/// Whether some bytes at the end of the last segment are what a write that did
/// not end leaves: one line at most, and no whole record that something follows.
fn is_torn(tail: &[u8], flaw: &Flaw) -> bool {
    if matches!(
        flaw,
        Flaw::Sequence { .. } | Flaw::Previous | Flaw::OtherTrail
    ) {
        return false;
    }
    let line = tail.strip_suffix(b"\n").unwrap_or(tail);
    if tail.len() > MAX_LINE || line.contains(&b'\n') {
        return false;
    }
    whole_record(tail).is_none_or(|length| length == tail.len())
}

/// Cuts a torn tail off and makes the cut durable.
pub(crate) fn mend(file: &mut dyn SegmentFile, path: &Path, cut: &Cut) -> Result<(), OpenError> {
    let truncated = file.truncate(cut.offset);
    truncated.map_err(OpenError::io("cutting the torn end of", path))?;
    file.sync().map_err(OpenError::io("syncing", path))
}

/// Writes what only the journal had to the segment that lost it.
pub(crate) fn restore(
    file: &mut dyn SegmentFile,
    path: &Path,
    length: u64,
    beyond: &Beyond,
) -> Result<(), OpenError> {
    let truncated = file.truncate(length);
    truncated.map_err(OpenError::io("cutting the torn end of", path))?;
    write_all(file, &beyond.lines).map_err(OpenError::io("restoring records to", path))?;
    file.sync().map_err(OpenError::io("syncing", path))
}
