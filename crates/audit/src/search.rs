//! Finding records.

use std::{collections::VecDeque, net::IpAddr, path::Path};

use jiff::Timestamp;

use crate::{
    reader::{ReadError, TrailReader},
    stored::{OutcomeKind, StoredRecord},
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
    /// At most so many.
    pub limit: Option<usize>,
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
    Ok(Search {
        reader: TrailReader::open(dir)?,
        left: query.limit.unwrap_or(usize::MAX),
        query,
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
