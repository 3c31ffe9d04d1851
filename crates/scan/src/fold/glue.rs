//! What stands between two literals that a program glues together.

use crate::charset::run_end;

/// Steps from one literal to the next.
const STEPS: usize = 24;
/// Longest comment passed over.
const COMMENT: usize = 256;

/// The way from one literal to the next.
#[derive(Debug, Default)]
pub(super) struct Glue {
    /// Within the brackets of a method that joins what it is given.
    in_call: bool,
}

impl Glue {
    /// Where the next literal may open, when only glue stands before it.
    pub(super) fn over(&mut self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        let mut operators = 0;
        for _ in 0..STEPS {
            if is_literal(text.get(at..)?) {
                return Some(at);
            }
            at += self.step(text, at, &mut operators)?;
        }
        None
    }

    /// Bytes of the next bit of glue.
    fn step(&mut self, text: &[u8], at: usize, operators: &mut usize) -> Option<usize> {
        let rest = text.get(at..)?;
        let length = match rest {
            [b'\\', b'\n', ..] => 2,
            [b'\\', b'\r', b'\n', ..] => 3,
            [b'/', b'*', ..] => comment(rest, b"*/")?,
            [b'/', b'/', ..] | [b'#', ..] => comment(rest, b"\n")?,
            _ if rest.starts_with(b".concat(") => {
                self.in_call = true;
                b".concat(".len()
            }
            [b',', ..] if self.in_call => 1,
            [b')', ..] => {
                self.in_call = false;
                1
            }
            [b'(', ..] => 1,
            [b'.', b'.', ..] | [b'|', b'|', ..] if *operators == 0 => {
                *operators += 1;
                2
            }
            [b'+' | b'.' | b'&', ..] if *operators == 0 => {
                *operators += 1;
                1
            }
            [byte, ..] if byte.is_ascii_whitespace() => {
                run_end(text, at, COMMENT, |byte| byte.is_ascii_whitespace()) - at
            }
            _ => return None,
        };
        Some(length)
    }
}

/// Whether a literal opens here; within a string its quote has backslashes.
fn is_literal(rest: &[u8]) -> bool {
    let slashes = run_end(rest, 0, 4, |byte| byte == b'\\');
    matches!(rest.get(slashes), Some(b'"' | b'\'' | b'`'))
}

/// Bytes of a comment up to its end and with it.
fn comment(rest: &[u8], end: &[u8]) -> Option<usize> {
    let near = rest.get(..rest.len().min(COMMENT))?;
    memchr::memmem::find(near, end).map(|at| at + end.len())
}
