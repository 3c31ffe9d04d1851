//! Finding records.

use std::{collections::VecDeque, net::IpAddr, path::Path};

use jiff::Timestamp;

use crate::{
    escape::escaped,
    reader::{ReadError, TrailReader},
    segment::Segment,
    sidecar::Index,
    stored::{OutcomeKind, StoredRecord},
    terms::{self, Term},
};

/// Which records are looked for; what is not given does not matter.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only this caller's.
    pub subject: Option<String>,
    /// Only those about this grant, by its id or its lineage's.
    pub grant: Option<String>,
    /// Only of this interview.
    pub session: Option<String>,
    /// Only of this action: `grant.create`.
    pub action: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<OutcomeKind>,
    /// Only at or after this time.
    pub since: Option<Timestamp>,
    /// Only before this time.
    pub until: Option<Timestamp>,
    /// Only from this address.
    pub address: Option<IpAddr>,
    /// Only from this record's number on: the number after the last one of
    /// the page before.
    pub from_sequence: u64,
    /// At most so many.
    pub limit: Option<usize>,
    /// Reads every segment, whatever the indexes say.
    pub without_index: bool,
}

impl Query {
    /// Whether a record is looked for.
    #[must_use]
    pub fn matches(&self, record: &StoredRecord) -> bool {
        same(&self.subject, record.subject.as_ref())
            && self.matches_grant(record)
            && same(&self.session, record.session_id.as_ref())
            && same(&self.action, Some(&record.action))
            && same(&self.outcome, Some(&record.outcome))
            && same(&self.address, record.address.as_ref())
            && self.since.is_none_or(|since| record.time >= since)
            && self.until.is_none_or(|until| record.time < until)
    }

    /// What every record looked for has somewhere in its line.
    fn needles(&self) -> Vec<Vec<u8>> {
        let texts = [
            self.subject.clone(),
            self.grant.clone(),
            self.session.clone(),
            self.action.clone(),
            self.outcome.map(|outcome| outcome.to_string()),
            self.address.map(|address| address.to_string()),
        ];
        texts
            .into_iter()
            .flatten()
            .map(|text| escaped(&text))
            .collect()
    }

    /// Whether a sealed segment may hold a record that is looked for.
    fn may_be_in(&self, dir: &Path, segment: &Segment, terms: &[Term]) -> bool {
        let Some(index) = Index::open(dir, segment.first).filter(|index| index.fits(segment))
        else {
            return true;
        };
        let (from, to) = index.times;
        let times = (
            Timestamp::from_millisecond(from),
            Timestamp::from_millisecond(to),
        );
        let (Ok(from), Ok(to)) = times else {
            return true;
        };
        self.since.is_none_or(|since| to >= since)
            && self.until.is_none_or(|until| from < until)
            && index.may_hold(dir, terms)
    }

    fn matches_grant(&self, record: &StoredRecord) -> bool {
        let Some(id) = self.grant.as_deref() else {
            return true;
        };
        let issued = record.grant.as_ref();
        let issued = issued.map(|grant| [grant.id.as_str(), grant.lineage.as_str()]);
        let draft = record.draft.as_ref();
        let announced = draft.map(|draft| [draft.id.as_str(), draft.lineage.as_str()]);
        let named = record.facts.get("grant").map(String::as_str);
        issued.or(announced).is_some_and(|ids| ids.contains(&id)) || named == Some(id)
    }
}

fn same<T: PartialEq>(wanted: &Option<T>, found: Option<&T>) -> bool {
    wanted.is_none() || wanted.as_ref() == found
}

/// The records that were looked for, oldest first, read as they are asked for.
pub struct Search {
    reader: TrailReader,
    query: Query,
    left: usize,
    skipped: usize,
}

impl Search {
    /// How many segments were left out unread, by their indexes.
    #[must_use]
    pub const fn skipped_segments(&self) -> usize {
        self.skipped
    }
}

impl Iterator for Search {
    type Item = Result<StoredRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let query = &self.query;
        self.reader
            .find(|read| read.as_ref().map_or(true, |record| query.matches(record)))
    }
}

/// Looks through a trail.
///
/// # Errors
///
/// [`ReadError`] when the directory can't be read; each record may be one too.
pub fn search(dir: &Path, query: Query) -> Result<Search, ReadError> {
    let mut reader = TrailReader::open(dir)?.from_sequence(query.from_sequence);
    let terms = terms::of_query(&query);
    let keep = |segment: &Segment, is_last: bool| {
        is_last || query.without_index || query.may_be_in(dir, segment, &terms)
    };
    let skipped = reader.narrowed(keep, &query.needles());
    Ok(Search {
        reader,
        left: query.limit.unwrap_or(usize::MAX),
        query,
        skipped,
    })
}

/// The last records of a trail, oldest first.
///
/// # Errors
///
/// [`ReadError`] when the directory or a record can't be read.
pub fn tail(dir: &Path, count: usize) -> Result<Vec<StoredRecord>, ReadError> {
    let mut ends = 0;
    for record in TrailReader::open(dir)?.last_segment() {
        ends = record?.sequence + 1;
    }
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let mut kept = VecDeque::new();
    for record in TrailReader::open(dir)?.from_sequence(ends.saturating_sub(count)) {
        kept.push_back(record?);
        if kept.len() as u64 > count {
            kept.pop_front();
        }
    }
    Ok(kept.into())
}
