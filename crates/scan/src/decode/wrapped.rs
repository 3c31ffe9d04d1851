//! Base64 wrapped into lines: a break may stand within any needle, so that only
//! the lines tell it.

/// Digits of a line, by the tools that wrap: a multiple of four.
const LINE: std::ops::RangeInclusive<usize> = 56..=76;
/// Spaces that a line may be indented by.
const INDENT: usize = 64;

/// Where a line of base64 begins that a break ends, each run of such lines
/// once. The break may be an escape, in a literal.
pub(crate) fn wrapped(text: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut plain = Lines::default();
    for ends in memchr::memchr_iter(b'\n', text) {
        found.extend(plain.next(text, ends, 1));
    }
    let mut escaped = Lines::default();
    for ends in memchr::memmem::find_iter(text, b"\\n") {
        found.extend(escaped.next(text, ends, 2));
    }
    found
}

/// The lines of a text, one after another.
#[derive(Default)]
struct Lines {
    begins: usize,
    /// Whether the line before was one of base64.
    within: bool,
}

impl Lines {
    /// Where the line that ends here begins, when it is the first of a run.
    fn next(&mut self, text: &[u8], ends: usize, line_break: usize) -> Option<usize> {
        let begins = self.begins;
        self.begins = ends + line_break;
        let was_within = std::mem::replace(&mut self.within, false);
        // Most lines are told by their length alone.
        if !(*LINE.start()..=LINE.end() + INDENT + 2).contains(&(ends - begins)) {
            return None;
        }
        let line = text.get(begins..ends)?;
        let indent = line.iter().take(INDENT).take_while(|byte| **byte == b' ');
        let indent = indent.count();
        self.within = is_whole(&line[indent..]);
        (self.within && !was_within).then_some(begins + indent)
    }
}

fn is_whole(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\\r").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    LINE.contains(&line.len())
        && line.len().is_multiple_of(4)
        && line
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_lines_is_told_once() {
        let line = "Ab1/".repeat(16);
        for line_break in ["\n", "\r\n", "\\n", "\\r\\n", "\n      "] {
            let text = format!("x:{line_break}{line}{line_break}{line}{line_break}Ab==");
            let at = text.find("Ab1/").unwrap();
            assert_eq!(wrapped(text.as_bytes()), [at], "{line_break:?}");
        }
        for none in ["a\nb\nc\n".to_owned(), format!("{}\n", "word ".repeat(12))] {
            assert!(wrapped(none.as_bytes()).is_empty(), "{none}");
        }
    }
}
