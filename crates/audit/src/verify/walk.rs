//! The way through a trail, record by record.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use memchr::memmem;

use super::{BadRecord, Evidence, VerifyError, VerifyReport, signed::Signed};
use crate::{
    chain::{Chain, Hash, Link},
    erase,
    journal::{Beyond, JOURNAL},
    line::Flaw,
    lock::is_held,
    merkle::Tree,
    segment::{Lines, Segment, firsts, list},
    sidecar::{self, HASHES},
    stored::StoredRecord,
};

/// The action of the records that say what was removed.
const PURGE: &[u8] = br#""action":"trail.purge""#;

/// The action of the records that say what was erased.
const ERASE: &[u8] = br#""action":"trail.erase""#;

/// A stretch of a trail: its records, or only their hashes.
pub(super) struct Part {
    segment: Segment,
    is_here: bool,
}

/// The parts of a directory, in order.
pub(super) fn parts(dir: &Path) -> Result<Vec<Part>, VerifyError> {
    let io = |source| VerifyError::Io {
        path: dir.to_owned(),
        source,
    };
    let kept = firsts(dir, HASHES).map_err(io)?;
    let by_hash = kept.into_iter().map(|first| (first, false));
    let here = list(dir).map_err(io)?;
    let here = here.into_iter().map(|segment| (segment.first, true));
    let parts: BTreeMap<u64, bool> = by_hash.chain(here).collect();
    let part = |(first, is_here)| Part {
        segment: Segment::new(dir, first),
        is_here,
    };
    Ok(parts.into_iter().map(part).collect())
}

pub(super) struct Walk<'a> {
    dir: PathBuf,
    evidence: &'a Evidence,
    chain: Chain,
    tree: Tree,
    signed: Signed,
    /// The first and last record known by hash only, outside of the beginning.
    unexplained: Option<(u64, u64)>,
    /// The last record a purge says was removed.
    purged: Option<u64>,
    /// Records whose content is gone, and those a record says were erased.
    erased: Vec<u64>,
    named: Vec<RangeInclusive<u64>>,
    pub(super) report: VerifyReport,
}

impl<'a> Walk<'a> {
    pub(super) fn new(dir: &Path, evidence: &'a Evidence) -> Result<Self, VerifyError> {
        Ok(Self {
            dir: dir.to_owned(),
            evidence,
            chain: Chain::default(),
            tree: Tree::default(),
            signed: Signed::read(dir, evidence)?,
            unexplained: None,
            purged: None,
            erased: Vec::new(),
            named: Vec::new(),
            report: VerifyReport::default(),
        })
    }

    pub(super) fn part(&mut self, part: &Part, is_last: bool) -> Result<(), VerifyError> {
        let segment = &part.segment;
        self.check_name(segment)?;
        let hashes = sidecar::hashes(&self.dir, segment.first).map_err(|source| {
            let path = sidecar::path(&self.dir, segment.first, HASHES);
            VerifyError::Io { path, source }
        })?;
        if !part.is_here {
            return self.by_hash(&hashes.unwrap_or_default());
        }
        self.segment(segment, hashes.as_deref(), is_last)
    }

    /// Goes on over records of which only the hashes are there.
    fn by_hash(&mut self, hashes: &[Hash]) -> Result<(), VerifyError> {
        let from = self.chain.next();
        for &hash in hashes {
            let sequence = self.chain.next();
            self.take(Link { sequence, hash })?;
            self.report.hash_only += 1;
        }
        let Some(to) = self.chain.next().checked_sub(1) else {
            return Ok(());
        };
        let prefix = self.report.segments == 0;
        let from = match self.unexplained {
            Some((from, _)) => from,
            None if prefix => 0,
            None => from,
        };
        self.unexplained = Some((from, if prefix { to } else { u64::MAX }));
        Ok(())
    }

    fn segment(
        &mut self,
        segment: &Segment,
        hashes: Option<&[Hash]>,
        is_last: bool,
    ) -> Result<(), VerifyError> {
        let io = |source| VerifyError::Io {
            path: segment.path.clone(),
            source,
        };
        let mut lines = Lines::open(&segment.path).map_err(io)?;
        let mut line = 0;
        // What a running server is just writing is left out.
        let is_live = is_last && is_held(&self.dir);
        while let Some(read) = lines.next().map_err(io)? {
            let accepted = read.and_then(|bytes| self.accept(bytes));
            if let Err(flaw) = accepted {
                if is_live && flaw == Flaw::Unterminated {
                    break;
                }
                let there = segment.path.metadata().map_err(io)?.len();
                if is_last && self.journal(there - lines.offset)? {
                    break;
                }
                return Err(self.bad(segment, Some(line + 1), lines.offset, flaw));
            }
            line += 1;
            if let Some(head) = self.chain.head {
                check_hash(segment, hashes, head)?;
                self.take(head)?;
            }
        }
        if line == 0 && !is_last {
            return Err(self.bad(segment, None, 0, Flaw::Unterminated));
        }
        if is_last && !is_live {
            self.journal(0)?;
        }
        self.report.segments += 1;
        self.report.bytes += lines.offset;
        Ok(())
    }

    /// Checks a record and its place, and notes what it says of others.
    fn accept(&mut self, line: &[u8]) -> Result<(), Flaw> {
        self.chain.accept(line)?;
        self.note_erased(line);
        self.purged = self.purged.max(purged_through(line));
        Ok(())
    }

    /// Goes on over what only the journal holds, where a power cut took it from
    /// the segment; false where it does not hold all of a torn end.
    fn journal(&mut self, torn: u64) -> Result<bool, VerifyError> {
        let beyond = Beyond::read(&self.dir, &self.chain).map_err(|source| VerifyError::Io {
            path: self.dir.join(JOURNAL),
            source,
        })?;
        if !beyond.covers(torn) {
            return Ok(false);
        }
        for line in beyond.lines.split(|&byte| byte == b'\n') {
            if self.accept(line).is_ok()
                && let Some(head) = self.chain.head
            {
                self.take(head)?;
                self.report.journaled += 1;
            }
        }
        Ok(true)
    }

    /// Notes what is left of an erased record, and what says it was erased.
    fn note_erased(&mut self, line: &[u8]) {
        if erase::is_erased(line) {
            self.erased
                .extend(self.chain.head.map(|head| head.sequence));
        } else if memmem::find(line, ERASE).is_some()
            && let Ok(record) = StoredRecord::read(line)
            && record.action == "trail.erase"
        {
            self.named.extend(erase::named(&record));
        }
    }

    /// The first record that was erased and that no record says so of.
    fn erased_unnamed(&self) -> Option<u64> {
        let is_named = |number: &u64| self.named.iter().any(|range| range.contains(number));
        self.erased.iter().find(|number| !is_named(number)).copied()
    }

    /// Takes a record in, and holds the trail so far against what is known.
    fn take(&mut self, head: Link) -> Result<(), VerifyError> {
        self.chain.head = Some(head);
        self.tree.push(head.hash);
        self.report.records += 1;
        self.check_known(head)?;
        self.signed.check(&self.tree)
    }

    fn check_name(&self, segment: &Segment) -> Result<(), VerifyError> {
        let next = self.chain.next();
        if segment.first > next {
            return Err(VerifyError::MissingSegment {
                from: next,
                to: segment.first - 1,
            });
        }
        if segment.first < next {
            let flaw = Flaw::Sequence {
                expected: next,
                found: segment.first,
            };
            return Err(self.bad(segment, None, 0, flaw));
        }
        Ok(())
    }

    fn bad(&self, segment: &Segment, line: Option<u64>, offset: u64, flaw: Flaw) -> VerifyError {
        VerifyError::Bad(BadRecord {
            segment: segment.name(),
            sequence: self.chain.next(),
            line,
            offset,
            flaw,
        })
    }

    fn check_known(&self, head: Link) -> Result<(), VerifyError> {
        let Some(expected) = self.evidence.known else {
            return Ok(());
        };
        if head.sequence == expected.sequence && head.hash != expected.hash {
            return Err(VerifyError::Replaced {
                expected,
                found: head.hash,
            });
        }
        Ok(())
    }

    pub(super) fn end(mut self) -> Result<VerifyReport, VerifyError> {
        let last = self.chain.head.map(|head| head.sequence);
        if let Some(expected) = self.evidence.known
            && last < Some(expected.sequence)
        {
            return Err(VerifyError::RolledBack { expected, last });
        }
        self.signed.end(last)?;
        match self.unexplained {
            Some((from, to)) if !self.evidence.partial && self.purged < Some(to) => {
                let to = to.min(last.unwrap_or(to));
                return Err(VerifyError::Removed { from, to });
            }
            _ => {}
        }
        if let Some(sequence) = self.erased_unnamed().filter(|_| !self.evidence.partial) {
            return Err(VerifyError::Erased { sequence });
        }
        self.report.erased = self.erased.len() as u64;
        self.report.head = self.chain.head;
        self.report.chain_uid = self.chain.uid;
        self.report.checkpoints = self.signed.checked;
        self.report.signed = self.signed.confirmed;
        Ok(self.report)
    }
}

/// The last record that was removed, where a record says so.
fn purged_through(line: &[u8]) -> Option<u64> {
    memmem::find(line, PURGE)?;
    let record = StoredRecord::read(line).ok()?;
    let says_so = record.action == "trail.purge";
    record
        .facts
        .get("through")
        .filter(|_| says_so)?
        .parse()
        .ok()
}

fn check_hash(segment: &Segment, hashes: Option<&[Hash]>, head: Link) -> Result<(), VerifyError> {
    let Some(hashes) = hashes else {
        return Ok(());
    };
    let place = usize::try_from(head.sequence - segment.first).unwrap_or(usize::MAX);
    if hashes.get(place) == Some(&head.hash) {
        return Ok(());
    }
    Err(VerifyError::Hashes {
        file: format!("{}{HASHES}", crate::segment::stem(segment.first)),
        sequence: head.sequence,
    })
}
