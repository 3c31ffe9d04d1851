//! Escapes of single characters, mixed with plain ones: `%2d`, `\x2d`,
//! `\u002d`, `\u{2d}`, `\055`, `&#45;`, `&#x2d;`, `&lowbar;`; backslashes
//! doubled or not.

use super::{FORTH, Reading};
use crate::charset::{is_key_byte, run_start};

/// Bytes read before a hit; what a key holds before its first escape.
const BACK: usize = 1024;

/// Reads the run of escapes and key characters around a needle.
pub(crate) fn escapes(text: &[u8], hit: usize) -> Reading {
    let accepts = |byte: u8| is_key_byte(byte) || b"\\%{}&#;".contains(&byte);
    let start = run_start(text, hit, BACK, accepts);
    let last = text.len().min(hit + FORTH);
    let mut decoded = Vec::new();
    let mut at = start;
    while at < last {
        let rest = &text[at..];
        if let Some((character, length)) = escape(rest) {
            push(&mut decoded, character);
            at += length;
        } else if accepts(rest[0]) {
            decoded.push(rest[0]);
            at += 1;
        } else {
            break;
        }
    }
    Reading::of(start..at, at >= last, decoded)
}

/// The character an escape stands for, and the escape's length.
fn escape(rest: &[u8]) -> Option<(u32, usize)> {
    match rest {
        [b'%', b'2', b'5', ..] => fixed(rest, 3, 2).or_else(|| fixed(rest, 1, 2)),
        [b'%', ..] => fixed(rest, 1, 2),
        [b'&', b'#', b'x' | b'X', ..] => closed(rest, 3, 16, b';'),
        [b'&', b'#', ..] => closed(rest, 2, 10, b';'),
        [b'&', ..] => rest
            .starts_with(b"&lowbar;")
            .then_some((u32::from(b'_'), 8)),
        [b'\\', ..] => {
            let slashes = rest
                .iter()
                .take(4)
                .take_while(|byte| **byte == b'\\')
                .count();
            match rest.get(slashes..)? {
                [b'x' | b'X', ..] => fixed(rest, slashes + 1, 2),
                [b'u', b'{', ..] => closed(rest, slashes + 2, 16, b'}'),
                [b'u' | b'U', ..] => fixed(rest, slashes + 1, 4),
                [b'0'..=b'7', b'0'..=b'7', ..] => octal(rest, slashes),
                _ => None,
            }
        }
        _ => None,
    }
}

fn fixed(rest: &[u8], from: usize, digits: usize) -> Option<(u32, usize)> {
    let end = from + digits;
    number(rest.get(from..end)?, 16).map(|character| (character, end))
}

/// Two or three octal digits from `from` on.
fn octal(rest: &[u8], from: usize) -> Option<(u32, usize)> {
    let digits = rest.get(from..)?.iter().take(3);
    let count = digits
        .take_while(|byte| (b'0'..=b'7').contains(*byte))
        .count();
    number(rest.get(from..from + count)?, 8).map(|character| (character, from + count))
}

fn closed(rest: &[u8], from: usize, radix: u32, close: u8) -> Option<(u32, usize)> {
    let digits = rest
        .get(from..)?
        .iter()
        .take(7)
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let end = from + digits;
    (rest.get(end) == Some(&close)).then_some(())?;
    number(rest.get(from..end)?, radix).map(|character| (character, end + 1))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    u32::from_str_radix(digits, radix).ok()
}

fn push(decoded: &mut Vec<u8>, character: u32) {
    let character = char::from_u32(character).unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut utf8 = [0; 4];
    decoded.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_is_read_beside_plain_characters() {
        for (text, expected) in [
            ("'a%2Db'", "a-b"),
            ("a%252Db", "a-b"),
            (r"\x61\x2d\x62", "a-b"),
            (r"\\x61\\x2db", "a-b"),
            (r"a\u002db", "a-b"),
            (r"a\u{2d}b", "a-b"),
            ("a&#45;b", "a-b"),
            ("a&#x2D;b", "a-b"),
            (r"a\055b", "a-b"),
            (r"a\55b", "a-b"),
            (r"\141\055\142", "a-b"),
            ("a&lowbar;b", "a_b"),
            ("a&#x002d;b", "a-b"),
            ("a%zzb", "a%zzb"),
        ] {
            assert_eq!(
                escapes(text.as_bytes(), 3).text,
                expected.as_bytes(),
                "{text}"
            );
        }
    }
}
