//! Erasing what records say, while they stay in their place.
//!
//! A person may have a right to it, or a kind of record a shorter time. An
//! erased record keeps its number, its time, and the end of its line from
//! `"metadata"` on, which holds its hash and that of the record before: so the
//! chain, the Merkle tree and every checkpoint still hold. What was erased is
//! recorded before, as `trail.erase`; `verify` refuses an erased record that no
//! such record names, so nobody can hide one so.

use std::{
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome},
    ports::AuditLog,
};
use memchr::memmem;

use crate::{
    archive::{Archive, blocking},
    gist::Gist,
    keep::{KeepError, hold},
    segment::{Lines, Segment, list},
    sidecar::{self, tree_before},
    stored::StoredRecord,
};

/// How an erased record's line begins; no other record's does.
pub(crate) const BEGIN: &[u8] = br#"{"unmapped":{"hallpass":{"action":"record.erased""#;
/// Where the part of a line begins that stays.
const TAIL: &[u8] = br#"},"metadata":{"version":"#;
/// Ranges one record names at most.
const RANGES: usize = 1000;

/// Whether a line is what is left of a record.
pub(crate) fn is_erased(line: &[u8]) -> bool {
    line.starts_with(BEGIN)
}

/// Which records are to be erased.
#[derive(Debug, Clone, Default)]
pub struct Erasure {
    /// Those of this subject, or about it or its grants.
    pub subject: Option<String>,
    /// Those of this action.
    pub action: Option<String>,
    /// Those from before this time.
    pub before: Option<Timestamp>,
    /// Why, for the trail. It must not name the person.
    pub reason: String,
}

/// What an erasure did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Records that were erased.
    pub records: usize,
    /// Segments that were written anew, here or in the archive.
    pub segments: usize,
}

impl Erasure {
    /// Whether a record is to be erased.
    fn wants(&self, record: &StoredRecord) -> bool {
        let of = |subject: &String| {
            let granted = record.grant.as_ref().map(|grant| grant.subject.as_str());
            // A revocation of them, a search for them, something odd about them.
            let mut facts = record.facts.values();
            record.subject.as_deref() == Some(subject)
                || granted == Some(subject)
                || facts.any(|fact| fact.strip_prefix("subject ").unwrap_or(fact) == subject)
        };
        // The records of the trail itself name no person and explain the rest.
        !record.action.starts_with("trail.")
            && (self.subject.is_some() || self.action.is_some())
            && self.subject.as_ref().is_none_or(of)
            && self.action.as_ref().is_none_or(|it| record.action == *it)
            && self.before.is_none_or(|before| record.time < before)
    }

    /// What is left of a line; none where the record stays.
    fn left_of(&self, line: &[u8]) -> Option<(u64, Vec<u8>)> {
        if is_erased(line) {
            return None;
        }
        let record = StoredRecord::read(line).ok()?;
        if !self.wants(&record) {
            return None;
        }
        let tail = memmem::rfind(line, TAIL)?;
        let (sequence, time) = (record.sequence, record.time.as_millisecond());
        let mut left = BEGIN.to_vec();
        let said = format!(
            r#","phase":"outcome","outcome":"success","sequence":{sequence}}}}},"time":{time},"severity_id":1,"actor":{{"app_name":"Hallpass""#
        );
        left.extend_from_slice(said.as_bytes());
        left.extend_from_slice(&line[tail..]);
        Some((sequence, left))
    }
}

/// A segment in which something is to be erased.
struct Found {
    first: u64,
    /// Where it can be read; for one that is only archived, a copy.
    content: PathBuf,
    is_here: bool,
    records: Vec<u64>,
}

/// Erases records from all segments here and in the archive. The log must
/// begin another segment with its next record.
///
/// # Errors
///
/// [`KeepError`] when a legal hold forbids it, or a file, the archive or the
/// trail fails; it can be asked for again then.
pub async fn erase(
    dir: &Path,
    archive: Option<&Archive>,
    erasure: &Erasure,
    now: Timestamp,
    log: &dyn AuditLog,
) -> Result<Erased, KeepError> {
    if let Some(why) = hold(dir) {
        let why = format!("a legal hold keeps every record: {why}");
        return Err(io::Error::other(why).into());
    }
    let copies = dir.join("erase.tmp");
    let done = erase_in(dir, archive, &copies, erasure, now, log).await;
    if copies.exists() {
        fs::remove_dir_all(&copies)?;
    }
    done
}

async fn erase_in(
    dir: &Path,
    archive: Option<&Archive>,
    copies: &Path,
    erasure: &Erasure,
    now: Timestamp,
    log: &dyn AuditLog,
) -> Result<Erased, KeepError> {
    let found = find(dir, archive, copies, erasure).await?;
    let mut all: Vec<u64> = found.iter().flat_map(|it| it.records.clone()).collect();
    all.sort_unstable();
    for ranges in ranges(&all).chunks(RANGES) {
        log.append(event(erasure, ranges, now)).await?;
    }
    let mut sealed = list(dir)?;
    let written = sealed.pop().map_or(0, |segment| segment.first);
    if found.iter().any(|segment| segment.first >= written) {
        let why = "the segment that is written holds records to be erased";
        return Err(io::Error::other(why).into());
    }
    let trail = dir.to_owned();
    blocking(move || sidecar::make_missing(&trail, &sealed, [])).await?;
    for segment in &found {
        rewrite(dir, copies, segment, erasure, archive).await?;
    }
    Ok(Erased {
        records: all.len(),
        segments: found.len(),
    })
}

/// The segments that hold something to be erased.
async fn find(
    dir: &Path,
    archive: Option<&Archive>,
    copies: &Path,
    erasure: &Erasure,
) -> Result<Vec<Found>, KeepError> {
    let here = list(dir)?;
    let known: Vec<u64> = here.iter().map(|segment| segment.first).collect();
    let mut all: Vec<(u64, PathBuf, bool)> = here
        .into_iter()
        .map(|segment| (segment.first, segment.path, true))
        .collect();
    if let Some(archive) = archive {
        for first in archive.firsts().await? {
            if known.contains(&first) {
                continue;
            }
            fs::create_dir_all(copies)?;
            let copy = Segment::new(copies, first).path;
            sidecar::write_whole(&copy, &archive.get(first).await?)?;
            all.push((first, copy, false));
        }
    }
    let mut found = Vec::new();
    for (first, content, is_here) in all {
        let records = matching(&content, erasure)?;
        if !records.is_empty() {
            found.push(Found {
                first,
                content,
                is_here,
                records,
            });
        }
    }
    Ok(found)
}

fn matching(path: &Path, erasure: &Erasure) -> io::Result<Vec<u64>> {
    let (mut lines, mut records) = (Lines::open(path)?, Vec::new());
    while let Some(line) = lines.next()? {
        let line = line.map_err(|flaw| io::Error::other(flaw.to_string()))?;
        records.extend(erasure.left_of(line).map(|(sequence, _)| sequence));
    }
    Ok(records)
}

/// Writes a segment without what is erased, here and where it is archived.
async fn rewrite(
    dir: &Path,
    copies: &Path,
    segment: &Found,
    erasure: &Erasure,
    archive: Option<&Archive>,
) -> Result<(), KeepError> {
    let (mut lines, mut whole) = (Lines::open(&segment.content)?, Vec::new());
    while let Some(line) = lines.next()? {
        let line = line.map_err(|flaw| io::Error::other(flaw.to_string()))?;
        match erasure.left_of(line) {
            Some((_, left)) => whole.extend_from_slice(&left),
            None => whole.extend_from_slice(line),
        }
        whole.push(b'\n');
    }
    // The local segment is the last to change: what is done before then is
    // found and done again when this is asked for again.
    fs::create_dir_all(copies)?;
    let copy = Segment::new(copies, segment.first);
    sidecar::write_whole(&copy.path, &whole)?;
    let (sealed, trail) = (copy.clone(), dir.to_owned());
    blocking(move || {
        let before = tree_before(&trail, sealed.first)?;
        sidecar::make(&trail, &Gist::read(&sealed)?, before)
    })
    .await?;
    if let Some(archive) = archive
        && (!segment.is_here || archive.firsts().await?.contains(&segment.first))
    {
        archive.put(&copy).await?;
    }
    if segment.is_here {
        fs::rename(&copy.path, &segment.content)?;
        fs::File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Numbers that follow each other, as ranges.
fn ranges(numbers: &[u64]) -> Vec<RangeInclusive<u64>> {
    let mut ranges: Vec<RangeInclusive<u64>> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some(last) if last.end() + 1 == number => *last = *last.start()..=number,
            _ => ranges.push(number..=number),
        }
    }
    ranges
}

fn event(erasure: &Erasure, ranges: &[RangeInclusive<u64>], now: Timestamp) -> AuditEvent {
    let text = |range: &RangeInclusive<u64>| format!("{}-{}", range.start(), range.end());
    let records: Vec<String> = ranges.iter().map(text).collect();
    let mut event = AuditEvent::outcome(now, Action::TrailErase, Outcome::Success);
    event.facts = vec![
        ("records", records.join(",")),
        ("reason", erasure.reason.clone()),
    ];
    event
}

/// The ranges a `trail.erase` record names.
pub(crate) fn named(record: &StoredRecord) -> Vec<RangeInclusive<u64>> {
    let text = record.facts.get("records").map_or("", String::as_str);
    let ranges = text.split(',').filter_map(|range| {
        let (from, to) = range.split_once('-')?;
        Some(from.parse().ok()?..=to.parse().ok()?)
    });
    ranges.collect()
}
