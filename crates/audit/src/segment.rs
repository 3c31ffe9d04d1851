//! A trail's files: their names and their order.

use std::{
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use crate::line::{Flaw, MAX_LINE};

const PREFIX: &str = "trail-";
const SUFFIX: &str = ".jsonl";
const DIGITS: usize = 20;

/// One file of a trail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    /// The number of its first record.
    pub(crate) first: u64,
    /// Where it is.
    pub(crate) path: PathBuf,
}

impl Segment {
    /// The segment that begins with a record.
    pub(crate) fn new(dir: &Path, first: u64) -> Self {
        let path = dir.join(format!("{}{SUFFIX}", stem(first)));
        Self { first, path }
    }

    /// Its file's name.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// The name of the segment that begins with a record, less its ending.
pub(crate) fn stem(first: u64) -> String {
    format!("{PREFIX}{first:0DIGITS$}")
}

/// The numbers that files of this ending begin with, in order.
pub(crate) fn firsts(dir: &Path, suffix: &str) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(suffix));
        firsts.extend(stem.and_then(number));
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// The segments of a directory, oldest first. Other files are left alone.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(first) = path.file_name().and_then(|name| first_of(name.to_str()?)) {
            segments.push(Segment { first, path });
        }
    }
    segments.sort();
    Ok(segments)
}

fn first_of(name: &str) -> Option<u64> {
    number(name.strip_suffix(SUFFIX)?)
}

/// The number in a segment's stem.
pub(crate) fn number(stem: &str) -> Option<u64> {
    let digits = stem.strip_prefix(PREFIX)?;
    if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The lines of a segment, one at a time.
pub(crate) struct Lines {
    file: BufReader<fs::File>,
    line: Vec<u8>,
    next: u64,
    /// Where the line given last begins, in bytes.
    pub(crate) offset: u64,
}

impl Lines {
    /// Reads a segment from its beginning.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufReader::with_capacity(1 << 16, fs::File::open(path)?),
            line: Vec::new(),
            next: 0,
            offset: 0,
        })
    }

    /// The segment's length, in bytes.
    pub(crate) fn length(&self) -> io::Result<usize> {
        let length = self.file.get_ref().metadata()?.len();
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Whether there are bytes after the line given last.
    pub(crate) fn has_more(&mut self) -> io::Result<bool> {
        Ok(!self.file.fill_buf()?.is_empty())
    }

    /// The next line, without its line feed; none at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<&[u8], Flaw>>> {
        self.line.clear();
        self.offset = self.next;
        let read = self.read_line()?;
        self.next += read as u64;
        if read == 0 {
            return Ok(None);
        }
        if let Some(line) = self.line.strip_suffix(b"\n") {
            return Ok(Some(Ok(line)));
        }
        let flaw = if read == MAX_LINE {
            Flaw::TooLong
        } else {
            Flaw::Unterminated
        };
        Ok(Some(Err(flaw)))
    }

    /// Appends bytes up to a line feed, and it, as far as a line may go; how
    /// many there were.
    fn read_line(&mut self) -> io::Result<usize> {
        while self.line.len() < MAX_LINE {
            let there = self.file.fill_buf()?;
            let there = &there[..there.len().min(MAX_LINE - self.line.len())];
            let end = memchr::memchr(b'\n', there);
            let count = end.map_or(there.len(), |end| end + 1);
            self.line.extend_from_slice(&there[..count]);
            self.file.consume(count);
            if end.is_some() || count == 0 {
                break;
            }
        }
        Ok(self.line.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_segments_own_name_is_one() {
        let segment = Segment::new(Path::new("/trail"), 42);
        assert_eq!(segment.name(), "trail-00000000000000000042.jsonl");
        assert_eq!(first_of(&segment.name()), Some(42));
        assert_eq!(first_of("trail-42.jsonl"), None);
        assert_eq!(first_of("trail-+0000000000000000042.jsonl"), None);
        assert_eq!(first_of("trail-00000000000000000042.jsonl.zst"), None);
    }
}
