//! A stream of bytes of any length, in memory that does not grow with it.

use std::io::{self, Read};

use crate::{document::Beside, scanner::Scanner};

/// A text up to this long is searched whole.
pub(super) const WHOLE: usize = 64 * 1024 * 1024;
/// What two pieces of a longer text share: more than the longest key, however
/// it is written.
const SHARED: usize = 64 * 1024;

/// Reads up to `most` bytes; fewer only at the end.
pub(super) fn read_up_to(reader: &mut dyn Read, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Searches a text of any length. In pieces of a long one, lines are counted
/// on, and what stands in the shared part is told once.
pub(super) fn text(
    scanner: &Scanner,
    path: &str,
    reader: &mut dyn Read,
    beside: Beside<'_>,
) -> io::Result<()> {
    let mut piece = read_up_to(reader, WHOLE)?;
    if piece.len() < WHOLE {
        scanner.text_beside(path, &piece, beside);
        return Ok(());
    }
    let mut lines_before = 0;
    loop {
        let mut findings = scanner.search(path, &piece, &|_| None);
        for finding in &mut findings {
            finding.position.line += lines_before;
        }
        scanner.add(findings);
        let kept = piece.len().saturating_sub(SHARED);
        lines_before += memchr::memchr_iter(b'\n', &piece[..kept]).count();
        piece.drain(..kept);
        let more = read_up_to(reader, WHOLE - SHARED)?;
        if more.is_empty() {
            return Ok(());
        }
        piece.extend_from_slice(&more);
    }
}
