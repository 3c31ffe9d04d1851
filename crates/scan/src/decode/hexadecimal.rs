//! Hexadecimal digits without anything between them.

use super::{BACK, FORTH, Reading};
use crate::charset::{run_end, run_start};

/// Reads the digits around a needle that begins at `hit`.
pub(crate) fn hexadecimal(text: &[u8], hit: usize) -> Reading {
    let accepts = |byte: u8| byte.is_ascii_hexdigit();
    let mut start = run_start(text, hit, BACK, accepts);
    start += (hit - start) % 2;
    let end = run_end(text, hit, FORTH, accepts);
    let digits = text.get(start..end).unwrap_or_default();
    let bytes = digits
        .chunks_exact(2)
        .map(|pair| nibble(pair[0]) << 4 | nibble(pair[1]))
        .collect();
    Reading::of(start..end, end == hit + FORTH, bytes)
}

/// The value of a hexadecimal digit; nought for what is none.
pub(super) const fn nibble(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0,
    }
}
