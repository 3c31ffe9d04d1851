//! What the files beside a segment are made of: gathered by its writer, record
//! by record, or read from it.

use std::{collections::VecDeque, io, mem, sync::Mutex};

use crate::{
    chain::Hash,
    line::hash_of,
    marks::Marks,
    queue::held,
    segment::{Lines, Segment},
    terms::Terms,
};

/// What a record takes, about: what is made of it is given room at once.
const RECORD_BYTES: usize = 2048;
/// Gists that wait for a keeper at most; they are a megabyte or two each.
const MOST: usize = 4;

/// What is known of a segment's records.
#[derive(Debug)]
pub(crate) struct Gist {
    /// The number of its first record.
    pub(crate) first: u64,
    /// Its length, in bytes.
    pub(crate) bytes: u64,
    /// Earliest and latest time of its records, in milliseconds.
    pub(crate) times: (i64, i64),
    pub(crate) terms: Terms,
    pub(crate) hashes: Vec<Hash>,
}

impl Gist {
    /// Of a segment without records.
    pub(crate) fn begin(first: u64) -> Self {
        Self {
            first,
            bytes: 0,
            times: (i64::MAX, i64::MIN),
            terms: Terms::default(),
            hashes: Vec::new(),
        }
    }

    /// Takes in the next record.
    pub(crate) fn add(&mut self, hash: Hash, marks: &Marks) {
        let (from, to) = self.times;
        self.times = (from.min(marks.time), to.max(marks.time));
        self.terms.extend(marks.terms());
        self.hashes.push(hash);
    }

    /// Reads a segment's.
    pub(crate) fn read(segment: &Segment) -> io::Result<Self> {
        let wrong = |what: &str| io::Error::other(format!("{}: {what}", segment.name()));
        let mut gist = Self::begin(segment.first);
        let mut lines = Lines::open(&segment.path)?;
        let expected = lines.length()? / RECORD_BYTES;
        gist.terms.reserve(expected);
        gist.hashes.reserve(expected);
        while let Some(line) = lines.next()? {
            let line = line.map_err(|flaw| wrong(&flaw.to_string()))?;
            let hash = hash_of(line).ok_or_else(|| wrong("a line has no hash"))?;
            let marks = Marks::read(line).ok_or_else(|| wrong("a line is no record"))?;
            gist.add(hash, &marks);
            gist.bytes += line.len() as u64 + 1;
        }
        Ok(gist)
    }
}

/// The gists of segments that were sealed lately, until a keeper takes them: it
/// need not read those again. One that is not here is read.
#[derive(Debug, Default)]
pub(crate) struct Gists(Mutex<VecDeque<Gist>>);

impl Gists {
    /// Keeps one.
    pub(crate) fn put(&self, gist: Gist) {
        let mut gists = held(&self.0);
        if gists.len() == MOST {
            gists.pop_front();
        }
        gists.push_back(gist);
    }

    /// Takes those there are.
    pub(crate) fn take(&self) -> VecDeque<Gist> {
        mem::take(&mut *held(&self.0))
    }
}
