//! Lists of character codes, as `String.fromCharCode` takes them.

use super::{BACK, FORTH, Reading};
use crate::charset::{run_end, run_start};

/// Reads the list of decimal codes around a needle.
pub(crate) fn character_codes(text: &[u8], hit: usize) -> Reading {
    let accepts =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b',' | b' ' | b'\n' | b'\r' | b'\t');
    let start = run_start(text, hit, BACK, accepts);
    let end = run_end(text, hit, FORTH, accepts);
    let list = text.get(start..end).unwrap_or_default();
    let codes = list
        .split(|byte| *byte == b',')
        .filter_map(|code| std::str::from_utf8(code).ok()?.trim().parse::<u8>().ok())
        .collect();
    Reading::of(start..end, end == hit + FORTH, codes)
}
