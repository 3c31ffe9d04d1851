//! UTF-16: whole texts with a byte order mark, and strings within a binary.

use std::borrow::Cow;

use super::{BACK, FORTH, Reading};

/// A text as it is, or in UTF-8 when it begins with UTF-16's byte order mark.
pub(crate) fn transcoded(text: &[u8]) -> Cow<'_, [u8]> {
    let order: fn([u8; 2]) -> u16 = match text {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return Cow::Borrowed(text),
    };
    let units: Vec<u16> = text[2..]
        .chunks_exact(2)
        .map(|pair| order([pair[0], pair[1]]))
        .collect();
    Cow::Owned(String::from_utf16_lossy(&units).into_bytes())
}

/// Reads the string of wide characters around a needle: each second byte from
/// `hit`, as long as those between are nought.
pub(crate) fn utf16(text: &[u8], hit: usize) -> Reading {
    let printable = |at: usize| {
        text.get(at)
            .is_some_and(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t'))
    };
    let wide = |at: usize| printable(at) && text.get(at + 1) == Some(&0);
    let mut start = hit;
    while start >= 2 && hit - start < BACK && wide(start - 2) {
        start -= 2;
    }
    let mut end = hit;
    let last = hit + FORTH;
    // In either byte order noughts stand between the characters.
    while end < last
        && printable(end)
        && (text.get(end + 1) == Some(&0) || end == hit || text.get(end - 1) == Some(&0))
    {
        end += 2;
    }
    let end = end.min(text.len());
    let characters = text[start..end].iter().step_by(2).copied().collect();
    Reading::of(start..end, end >= last, characters)
}
