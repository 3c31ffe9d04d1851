//! Checking a whole trail.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    chain::{Chain, Link},
    line::Flaw,
    lock::is_held,
    segment::{Lines, Segment, list},
};

/// The first record of a trail that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {sequence} in {segment}{}, at byte {offset}: {flaw}", at_line(*.line))]
pub struct BadRecord {
    /// The segment's file.
    pub segment: String,
    /// The number the record has, or should have.
    pub sequence: u64,
    /// The line within the file, from 1, where all lines were read.
    pub line: Option<u64>,
    /// Where the line begins, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub flaw: Flaw,
}

fn at_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

/// Why a trail does not verify.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A record is not as it was written.
    #[error("{0}")]
    Bad(BadRecord),
    /// A segment is not there.
    #[error(
        "records {from} to {to} are missing: there is no segment that begins with record {from}"
    )]
    MissingSegment {
        /// The first missing record.
        from: u64,
        /// The last missing record.
        to: u64,
    },
    /// The trail ends before the place that is known from elsewhere.
    #[error("the trail was rolled back: record {} is known to have been written, but the trail ends {}", expected.sequence, end(*.last))]
    RolledBack {
        /// The place known from elsewhere.
        expected: Link,
        /// The number of the last record that is there.
        last: Option<u64>,
    },
    /// The trail holds another record at the place known from elsewhere.
    #[error("the trail was replaced: record {} was written with the hash {}, but has {found}", expected.sequence, expected.hash)]
    Replaced {
        /// The place known from elsewhere.
        expected: Link,
        /// The hash the record has here.
        found: crate::chain::Hash,
    },
    /// A file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn end(last: Option<u64>) -> String {
    last.map_or_else(
        || "before its first record".to_owned(),
        |last| format!("with record {last}"),
    )
}

/// A trail that is whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many segments there are.
    pub segments: u64,
    /// How many records there are.
    pub records: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// The last record: kept elsewhere, it shows a later rollback.
    pub head: Option<Link>,
    /// The trail's own id.
    pub chain_uid: Option<String>,
}

/// Reads a whole trail and checks each record and its place in the chain.
///
/// A record that a running server is just writing at the end is left out.
///
/// `known` is a place of the trail kept elsewhere; without it, records cut off
/// the end go unnoticed. `progress` is told after each segment what was
/// checked so far.
///
/// # Errors
///
/// [`VerifyError`] names the first thing that is wrong.
pub fn verify(
    dir: &Path,
    known: Option<Link>,
    mut progress: impl FnMut(&VerifyReport),
) -> Result<VerifyReport, VerifyError> {
    let segments = list(dir).map_err(|source| VerifyError::Io {
        path: dir.to_owned(),
        source,
    })?;
    let mut report = VerifyReport::default();
    let mut walk = Walk {
        dir: dir.to_owned(),
        chain: Chain::default(),
        known,
    };
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        walk.segment(segment, is_last, &mut report)?;
        progress(&report);
    }
    walk.end()?;
    report.head = walk.chain.head;
    report.chain_uid = walk.chain.uid;
    Ok(report)
}

struct Walk {
    dir: PathBuf,
    chain: Chain,
    known: Option<Link>,
}

impl Walk {
    fn segment(
        &mut self,
        segment: &Segment,
        is_last: bool,
        report: &mut VerifyReport,
    ) -> Result<(), VerifyError> {
        self.check_name(segment)?;
        let io = |source| VerifyError::Io {
            path: segment.path.clone(),
            source,
        };
        let mut lines = Lines::open(&segment.path).map_err(io)?;
        let mut line = 0;
        while let Some(read) = lines.next().map_err(io)? {
            line += 1;
            let accepted = read.and_then(|bytes| self.chain.accept(bytes));
            if is_last && accepted == Err(Flaw::Unterminated) && is_held(&self.dir) {
                // A server is writing this very record.
                line -= 1;
                break;
            }
            if let Err(flaw) = accepted {
                return Err(self.bad(segment, Some(line), lines.offset, flaw));
            }
            self.check_known()?;
        }
        if line == 0 && !is_last {
            return Err(self.bad(segment, None, 0, Flaw::Unterminated));
        }
        report.segments += 1;
        report.records += line;
        report.bytes += lines.offset;
        Ok(())
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

    fn check_known(&self) -> Result<(), VerifyError> {
        let (Some(expected), Some(head)) = (self.known, self.chain.head) else {
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

    fn end(&self) -> Result<(), VerifyError> {
        let last = self.chain.head.map(|head| head.sequence);
        match self.known {
            Some(expected) if last < Some(expected.sequence) => {
                Err(VerifyError::RolledBack { expected, last })
            }
            _ => Ok(()),
        }
    }
}
