//! Lists of character codes, as `String.fromCharCode` and byte arrays take them.

use super::{BACK, FORTH, Reading};
use crate::charset::{run_end, run_start};

/// What the forms of keys begin with.
const BEGINNINGS: [[u8; 3]; 3] = [*b"sk-", *b"ek_", *b"hp_"];

/// Reads the list of codes around a needle, decimal or hexadecimal; none where
/// the codes from the needle on begin no key.
pub(crate) fn character_codes(text: &[u8], hit: usize) -> Option<Reading> {
    let mut first = codes(text.get(hit..text.len().min(hit + 200))?);
    let beginning = [first.next()?, first.next()?, first.next()?];
    BEGINNINGS.contains(&beginning).then_some(())?;
    let accepts = |byte: u8| {
        byte.is_ascii_hexdigit() || byte.is_ascii_whitespace() || matches!(byte, b',' | b'x' | b'X')
    };
    let start = run_start(text, hit, BACK, accepts);
    let end = run_end(text, hit, FORTH, accepts);
    let list = codes(text.get(start..end).unwrap_or_default()).collect();
    Some(Reading::of(start..end, end == hit + FORTH, list))
}

fn codes(list: &[u8]) -> impl Iterator<Item = u8> + '_ {
    list.split(|byte| *byte == b',').filter_map(|code| {
        let code = std::str::from_utf8(code).ok()?.trim();
        match code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")) {
            Some(digits) => u8::from_str_radix(digits, 16).ok(),
            None => code.parse().ok(),
        }
    })
}
