//! Where records are made durable first, for little.
//!
//! A file that grows has to have its new length made durable too, which costs
//! as much again as the bytes. So the lines that are written to the last segment
//! are written to the journal before, a file of a fixed length that was filled
//! once: making it durable writes nothing but the lines. Once it is full, the
//! segment is made durable and the journal begins again at its start.
//!
//! The journal needs no form of its own. It holds lines, one after the other,
//! then what is left of earlier ones; the trail's chain tells where they end.
//! It is there while a server runs, and after one that was killed: what a power
//! cut took from the segment is taken from it at the next start.

use std::{io, path::Path};

use crate::{
    chain::Chain,
    disk::{Disk, JournalFile},
    line::Sealed,
    segment::Lines,
};

/// The journal's name within the trail's directory.
pub(crate) const JOURNAL: &str = "trail.journal";

/// The journal of a trail that is being written.
pub(crate) struct Journal {
    file: Box<dyn JournalFile>,
    length: u64,
    end: u64,
}

impl Journal {
    /// Makes an empty journal, in place of what was there.
    pub(crate) fn begin(disk: &dyn Disk, dir: &Path, length: u64) -> io::Result<Self> {
        let file = disk.journal(&dir.join(JOURNAL), length)?;
        disk.sync_dir(dir)?;
        Ok(Self {
            file,
            length,
            end: 0,
        })
    }

    /// Whether so many bytes find room.
    pub(crate) const fn has_room(&self, bytes: u64) -> bool {
        self.end + bytes <= self.length
    }

    /// Makes some lines durable.
    pub(crate) fn keep(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_at(lines, self.end)?;
        self.file.sync()?;
        self.end += lines.len() as u64;
        Ok(())
    }

    /// Begins at its start again; what it holds must be durable elsewhere.
    pub(crate) const fn restart(&mut self) {
        self.end = 0;
    }
}

/// What a journal holds beyond the end of a chain.
#[derive(Debug, Default)]
pub(crate) struct Beyond {
    /// The lines, each with its line feed.
    pub(crate) lines: Vec<u8>,
    /// How many they are.
    pub(crate) records: u64,
    /// The chain with them.
    pub(crate) chain: Chain,
}

impl Beyond {
    /// Reads what a trail's journal holds beyond a chain; nothing where there is
    /// no journal.
    pub(crate) fn read(dir: &Path, chain: &Chain) -> io::Result<Self> {
        let mut beyond = Self {
            chain: chain.clone(),
            ..Self::default()
        };
        let mut lines = match Lines::open(&dir.join(JOURNAL)) {
            Ok(lines) => lines,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(beyond),
            Err(error) => return Err(error),
        };
        while let Some(Ok(line)) = lines.next()? {
            match Sealed::read(line) {
                // Is in the segment.
                Ok(record) if record.sequence < beyond.chain.next() => {}
                Ok(_) if beyond.chain.accept(line).is_ok() => {
                    beyond.lines.extend_from_slice(line);
                    beyond.lines.push(b'\n');
                    beyond.records += 1;
                }
                _ => break,
            }
        }
        Ok(beyond)
    }

    /// Whether it holds all that a torn end of so many bytes was.
    pub(crate) const fn covers(&self, bytes: u64) -> bool {
        self.records > 0 && bytes <= self.lines.len() as u64
    }
}
