//! Reading a trail, record by record.

use std::{collections::VecDeque, io, path::Path};

use memchr::memmem;

use crate::{
    line::Flaw,
    segment::{Lines, Segment, list},
    stored::StoredRecord,
    verify::BadRecord,
};

/// Why a record can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A line is not a record.
    #[error("{0}")]
    Bad(BadRecord),
    /// A file can't be read.
    #[error("{place} can't be read: {source}")]
    Io {
        /// Which one.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the records of a trail in order, one at a time.
///
/// It reads beside a running server: it gives what was written when it came
/// there, and ends before a record that is just being written. It does not
/// check hashes; [`crate::verify()`] does.
pub struct TrailReader {
    segments: VecDeque<Segment>,
    current: Option<(Segment, Lines)>,
    from: u64,
    /// The number of the record that comes next.
    next: u64,
    /// What a line must hold to be read at all.
    needles: Vec<memmem::Finder<'static>>,
}

impl TrailReader {
    /// Reads from the first record on.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the directory can't be read.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let segments = list(dir).map_err(|source| ReadError::Io {
            place: dir.display().to_string(),
            source,
        })?;
        Ok(Self {
            segments: segments.into(),
            current: None,
            from: 0,
            next: 0,
            needles: Vec::new(),
        })
    }

    /// Whether there is no segment to read: the directory holds no trail.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.current.is_none()
    }

    /// Leaves out the records before a number, without reading their segments.
    #[must_use]
    pub fn from_sequence(mut self, sequence: u64) -> Self {
        while self
            .segments
            .get(1)
            .is_some_and(|next| next.first <= sequence)
        {
            self.segments.pop_front();
        }
        self.from = sequence;
        self
    }

    /// Leaves out all segments but the last that holds a record.
    pub(crate) fn last_segment(mut self) -> Self {
        let empty = |segment: &Segment| segment.path.metadata().is_ok_and(|file| file.len() == 0);
        if self.segments.back().is_some_and(empty) {
            self.segments.pop_back();
        }
        let others = self.segments.len().saturating_sub(1);
        self.segments.drain(..others);
        self
    }

    /// Leaves out segments by what is known of them, and lines without one of
    /// the needles; says how many segments it left out.
    pub(crate) fn narrowed(
        &mut self,
        keep: impl Fn(&Segment, bool) -> bool,
        needles: &[Vec<u8>],
    ) -> usize {
        let before = self.segments.len();
        let last = self.segments.back().map(|segment| segment.first);
        self.segments
            .retain(|segment| keep(segment, Some(segment.first) == last));
        let finders = needles.iter().map(memmem::Finder::new);
        self.needles = finders.map(memmem::Finder::into_owned).collect();
        before - self.segments.len()
    }

    fn step(&mut self) -> Result<Option<StoredRecord>, ReadError> {
        loop {
            let Some((segment, lines)) = &mut self.current else {
                let Some(next) = self.segments.pop_front() else {
                    return Ok(None);
                };
                let lines = Lines::open(&next.path).map_err(|source| unreadable(&next, source))?;
                self.next = next.first;
                self.current = Some((next, lines));
                continue;
            };
            let line = lines.next().map_err(|source| unreadable(segment, source))?;
            let record = match line {
                None => {
                    self.current = None;
                    continue;
                }
                // The last line of all may be just being written.
                Some(Err(Flaw::Unterminated)) if self.segments.is_empty() => return Ok(None),
                Some(Err(flaw)) => Err(flaw),
                // What is not asked for is not read.
                Some(Ok(_)) if self.next < self.from => {
                    self.next += 1;
                    continue;
                }
                Some(Ok(line)) if !self.needles.iter().all(|n| n.find(line).is_some()) => {
                    self.next += 1;
                    continue;
                }
                Some(Ok(line)) => StoredRecord::read(line).map_err(Flaw::Json),
            };
            let record = record.map_err(|flaw| bad(segment, self.next, lines.offset, flaw))?;
            self.next = record.sequence.saturating_add(1);
            if record.sequence >= self.from {
                return Ok(Some(record));
            }
        }
    }
}

impl Iterator for TrailReader {
    type Item = Result<StoredRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.segments.clear();
            self.current = None;
        }
        step.transpose()
    }
}

fn unreadable(segment: &Segment, source: io::Error) -> ReadError {
    ReadError::Io {
        place: segment.path.display().to_string(),
        source,
    }
}

fn bad(segment: &Segment, sequence: u64, offset: u64, flaw: Flaw) -> ReadError {
    ReadError::Bad(BadRecord {
        segment: segment.name(),
        sequence,
        line: None,
        offset,
        flaw,
    })
}
