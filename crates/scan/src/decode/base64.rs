//! Base64 in either alphabet, wrapped or not, at any of its alignments.

use super::{BACK, FORTH, Reading};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The forms a text takes within base64, and for each the place within its
/// group of four at which the form begins.
///
/// A byte's digits depend on the bytes beside it; only those are kept that
/// depend on the text alone.
pub(crate) fn alignments(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, usize)> + '_ {
    (0..3_usize).map(move |before| {
        let mut padded = vec![0; before];
        padded.extend_from_slice(text);
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        let digits: Vec<u8> = (first..last).map(|at| digit(&padded, at)).collect();
        (digits, first % 4)
    })
}

fn digit(bytes: &[u8], at: usize) -> u8 {
    let bit = at * 6;
    let pair =
        u16::from(bytes[bit / 8]) << 8 | bytes.get(bit / 8 + 1).copied().map_or(0, u16::from);
    ALPHABET[usize::from(pair >> (10 - bit % 8)) & 63]
}

/// Reads the base64 around a needle that begins at `hit`, at `place` within its
/// group of four.
pub(crate) fn base64(text: &[u8], hit: usize, place: usize) -> Reading {
    let (start, skipped) = back(text, hit);
    let out_of_step = (skipped + 4 - place) % 4;
    let mut sextets = Sextets::default();
    let mut to_drop = out_of_step;
    let mut at = start;
    let last = text.len().min(hit + FORTH);
    while at < last {
        let Some((value, next)) = forth(text, at) else {
            break;
        };
        if to_drop > 0 {
            to_drop -= 1;
        } else {
            sextets.push(value);
        }
        at = next;
    }
    Reading::of(start..at, at >= last, sextets.bytes)
}

/// Where the run begins, and how many digits stand in it before `hit`.
fn back(text: &[u8], hit: usize) -> (usize, usize) {
    let mut start = hit;
    let mut digits = 0;
    let first = hit.saturating_sub(BACK);
    while start > first {
        let line = text.get(first..start).unwrap_or_default();
        if let Some(rest) = before_break(line) {
            start = first + rest.len();
            continue;
        }
        if value(text[start - 1]).is_none() {
            break;
        }
        start -= 1;
        digits += 1;
    }
    (start, digits)
}

/// What stands before the line break that a line ends in, when that is base64;
/// the break may be an escape, and the next line indented.
fn before_break(line: &[u8]) -> Option<&[u8]> {
    let spaces = line.iter().rev().take(64).take_while(|byte| **byte == b' ');
    let line = &line[..line.len() - spaces.count()];
    let breaks: [&[u8]; 4] = [b"\\r\\n", b"\\n", b"\r\n", b"\n"];
    let rest = breaks.iter().find_map(|end| line.strip_suffix(*end))?;
    rest.last()
        .is_some_and(|byte| value(*byte).is_some())
        .then_some(rest)
}

/// The digit at `at`, past a line break if need be, and where the next is.
fn forth(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let rest = text.get(at..)?;
    if let Some(value) = value(*rest.first()?) {
        return Some((value, at + 1));
    }
    let breaks: [&[u8]; 4] = [b"\r\n", b"\n", b"\\r\\n", b"\\n"];
    let skipped = breaks
        .iter()
        .find(|line_break| rest.starts_with(line_break))?
        .len();
    let spaces = rest
        .get(skipped..)?
        .iter()
        .take(64)
        .take_while(|byte| **byte == b' ')
        .count();
    let next = *rest.get(skipped + spaces)?;
    value(next).map(|value| (value, at + skipped + spaces + 1))
}

const fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[derive(Default)]
struct Sextets {
    bytes: Vec<u8>,
    bits: u32,
    held: u32,
}

impl Sextets {
    fn push(&mut self, value: u8) {
        self.held = (self.held << 6 | u32::from(value)) & 0xffff;
        self.bits += 6;
        if self.bits >= 8 {
            self.bits -= 8;
            self.bytes.push((self.held >> self.bits) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use ::base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;

    #[test]
    fn a_text_is_read_at_each_alignment() {
        let needle = b"needle in hay";
        for before in 0..7 {
            let plain = ["x".repeat(before).as_bytes(), needle, b"!"].concat();
            let encoded = format!("'{}'", BASE64_STANDARD.encode(&plain));
            let found = alignments(needle).find_map(|(form, place)| {
                let hit = memchr::memmem::find(encoded.as_bytes(), &form)?;
                Some(base64(encoded.as_bytes(), hit, place).text)
            });
            assert_eq!(found.as_deref(), Some(plain.as_slice()), "{before}");
        }
    }

    #[test]
    fn line_breaks_before_a_hit_are_passed_over() {
        for line_break in ["\n", "\r\n", "\\n", "\\r\\n", "\n    ", "\\n  "] {
            let text = format!("'aGVs{line_break}bG8gd29y{line_break}bGQ=");
            let hit = text.rfind("bGQ").unwrap();
            let read = base64(text.as_bytes(), hit, 0);
            assert_eq!(read.text, b"hello world", "{line_break:?}");
            assert_eq!(read.span.start, 1);
        }
    }

    #[test]
    fn line_breaks_are_passed_over() {
        for line_break in ["\n", "\r\n", "\\n", "\n    "] {
            let text = format!("aGVs{line_break}bG8gd29y{line_break}bGQ=");
            assert_eq!(
                base64(text.as_bytes(), 0, 0).text,
                b"hello world",
                "{line_break:?}"
            );
        }
    }
}
