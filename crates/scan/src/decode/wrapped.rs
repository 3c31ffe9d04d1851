//! Base64 wrapped into lines: a break may stand within any needle, so that only
//! the lines tell it.

/// Digits of a line, by the tools that wrap: a multiple of four.
const LINE: std::ops::RangeInclusive<usize> = 56..=76;
/// Spaces that a line may be indented by.
const INDENT: usize = 64;

/// Where a line of base64 begins that a break ends, each run of such lines
/// once. The break may be an escape, in a literal.
pub(crate) fn wrapped(text: &[u8]) -> Vec<usize> {
    let mut found = lines(text, b"\n");
    found.extend(lines(text, b"\\n"));
    found
}

fn lines(text: &[u8], line_break: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut begins = 0;
    let mut within = false;
    for ends in memchr::memmem::find_iter(text, line_break) {
        let line = text.get(begins..ends).unwrap_or_default();
        let indent = line
            .iter()
            .take(INDENT)
            .take_while(|byte| **byte == b' ')
            .count();
        let was_within = within;
        within = is_whole(&line[indent..]);
        if within && !was_within {
            found.push(begins + indent);
        }
        begins = ends + line_break.len();
    }
    found
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
