//! Following a trail while it is written.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::{
    reader::ReadError,
    segment::{Lines, Segment, list},
    sidecar::Index,
    verify::BadRecord,
};

/// Gives a trail's lines once each, in order, as they become durable.
pub struct Follower {
    dir: PathBuf,
    next: u64,
    current: Option<(Segment, Lines)>,
}

impl Follower {
    /// Begins with the record of a number.
    #[must_use]
    pub fn new(dir: &Path, next: u64) -> Self {
        Self {
            dir: dir.to_owned(),
            next,
            current: None,
        }
    }

    /// Begins with a record that is no later than the first at or after a time.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the directory can't be read.
    pub fn since(dir: &Path, time: Timestamp) -> Result<Self, ReadError> {
        let segments = list(dir).map_err(|source| unlisted(dir, source))?;
        let is_over = |segment: &&Segment| {
            let index = Index::open(dir, segment.first).filter(|index| index.fits(segment));
            index.is_some_and(|index| index.times.1 < time.as_millisecond())
        };
        let first = segments.iter().find(|segment| !is_over(segment));
        Ok(Self::new(dir, first.map_or(0, |segment| segment.first)))
    }

    /// The number of the record that comes next.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The next line below a number, and its record's number.
    ///
    /// Records that were removed meanwhile are passed over. None when there is
    /// nothing yet.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when a file can't be read.
    pub fn next_line(&mut self, durable: u64) -> Result<Option<(u64, &[u8])>, ReadError> {
        if self.next >= durable {
            return Ok(None);
        }
        if !self.is_within()? && !self.enter()? {
            return Ok(None);
        }
        let Some((segment, lines)) = &mut self.current else {
            return Ok(None);
        };
        let read = lines.next().map_err(|source| io_at(segment, source))?;
        match read {
            Some(Ok(line)) => {
                self.next += 1;
                Ok(Some((self.next - 1, line)))
            }
            Some(Err(flaw)) => Err(ReadError::Bad(BadRecord {
                segment: segment.name(),
                sequence: self.next,
                line: None,
                offset: 0,
                flaw,
            })),
            None => Ok(None),
        }
    }

    /// Whether the current segment holds the next record.
    fn is_within(&mut self) -> Result<bool, ReadError> {
        let Some((segment, lines)) = &mut self.current else {
            return Ok(false);
        };
        let more = lines.has_more().map_err(|source| io_at(segment, source))?;
        Ok(more)
    }

    /// Opens the segment that holds the next record, or the first after it.
    fn enter(&mut self) -> Result<bool, ReadError> {
        let segments = list(&self.dir).map_err(|source| unlisted(&self.dir, source))?;
        let after = segments.partition_point(|segment| segment.first <= self.next);
        // The segment that begins at or before it; where that ends too early,
        // what followed was removed and the one after comes next.
        for segment in segments.into_iter().skip(after.saturating_sub(1)).take(2) {
            if self.open(segment)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn open(&mut self, segment: Segment) -> Result<bool, ReadError> {
        let mut lines = Lines::open(&segment.path).map_err(|source| io_at(&segment, source))?;
        let mut at = segment.first;
        while at < self.next {
            let read = lines.next().map_err(|source| io_at(&segment, source))?;
            if read.is_none() {
                return Ok(false);
            }
            at += 1;
        }
        self.next = at;
        self.current = Some((segment, lines));
        self.is_within()
    }
}

fn unlisted(dir: &Path, source: std::io::Error) -> ReadError {
    ReadError::Io {
        place: dir.display().to_string(),
        source,
    }
}

fn io_at(segment: &Segment, source: std::io::Error) -> ReadError {
    ReadError::Io {
        place: segment.path.display().to_string(),
        source,
    }
}
