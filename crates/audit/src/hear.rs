//! Following a trail by what its writer tells, and by its files where it did
//! not tell.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    chain::Hash,
    feed::{Batch, Ear, Told},
    follow::Follower,
    line::hash_of,
    reader::ReadError,
    summary::RecordSummary,
    trail::Progress,
};

/// A record of a trail that is followed.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// As it stands in a file.
    Line(&'a [u8]),
    /// As the writer told it.
    Told(&'a Told),
}

impl<'a> Record<'a> {
    /// What counts and alerts go by; none where it is no final record, or one
    /// that was erased.
    #[must_use]
    pub fn summary(self) -> Option<RecordSummary<'a>> {
        match self {
            Self::Line(line) => RecordSummary::of(line),
            Self::Told(told) => RecordSummary::told(told.event.as_ref()?),
        }
    }

    /// Its hash, unchecked; none where its line has none.
    pub(crate) fn hash(self) -> Option<Hash> {
        match self {
            Self::Line(line) => hash_of(line),
            Self::Told(told) => Some(told.hash),
        }
    }
}

/// Gives a trail's records once each, in order, as they become durable in this
/// process.
pub struct RecordFollower {
    dir: PathBuf,
    next: u64,
    ear: Ear,
    told: Option<Arc<Batch>>,
    file: Follower,
    /// Whether the file's place is not known.
    is_astray: bool,
}

impl RecordFollower {
    /// Begins with the record of a number, in the directory of a trail.
    #[must_use]
    pub fn new(dir: &Path, next: u64, trail: &Progress) -> Self {
        Self {
            dir: dir.to_owned(),
            next,
            ear: trail.listen(),
            told: None,
            file: Follower::new(dir, next),
            is_astray: false,
        }
    }

    /// The number of the record that comes next.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The next record below a number, and its own number.
    ///
    /// Records that were removed meanwhile are passed over. None when there is
    /// nothing yet.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when a file can't be read; it is tried again at the next
    /// call.
    pub fn next_record(&mut self, durable: u64) -> Result<Option<(u64, Record<'_>)>, ReadError> {
        if self.next >= durable {
            return Ok(None);
        }
        if !self.hears() {
            return self.read(durable);
        }
        let number = self.next;
        self.next += 1;
        let told = self.told.as_ref().and_then(|told| told.record(number));
        Ok(told.map(|told| (number, Record::Told(told))))
    }

    /// Whether the next record was told.
    fn hears(&mut self) -> bool {
        if self.told.as_ref().is_none_or(|it| it.end() <= self.next) {
            self.told = self.ear.take(self.next);
        }
        let told = self.told.as_ref();
        told.is_some_and(|told| told.record(self.next).is_some())
    }

    fn read(&mut self, durable: u64) -> Result<Option<(u64, Record<'_>)>, ReadError> {
        if self.is_astray || self.file.next_sequence() != self.next {
            self.file = Follower::new(&self.dir, self.next);
        }
        // Until it is read: after a failure it is opened anew.
        self.is_astray = true;
        let Some((number, line)) = self.file.next_line(durable)? else {
            self.is_astray = false;
            return Ok(None);
        };
        self.is_astray = false;
        self.next = number + 1;
        Ok(Some((number, Record::Line(line))))
    }

    /// Leaves out the record that comes next.
    pub const fn pass_over(&mut self) {
        self.next += 1;
    }

    /// Ends when so many records wait that they are worth a step.
    pub async fn plenty(&self) {
        self.ear.plenty().await;
    }
}
