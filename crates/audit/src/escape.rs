//! JSON strings that stay on their line.

use std::io;

use serde::Serialize;
use serde_json::ser::Formatter;

/// Compact JSON in which no character acts upon a terminal or an editor.
pub(crate) struct LineFormatter;

impl Formatter for LineFormatter {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        if fragment.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return writer.write_all(fragment.as_bytes());
        }
        write_escaped(writer, fragment)
    }
}

/// A text as it stands in a line, with its quotes.
pub(crate) fn escaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, LineFormatter);
    // Writing to a vector does not fail.
    let _ = text.serialize(&mut serializer);
    bytes
}

#[cold]
fn write_escaped<W>(writer: &mut W, fragment: &str) -> io::Result<()>
where
    W: ?Sized + io::Write,
{
    let mut written = 0;
    for (start, character) in fragment.char_indices() {
        if !acts(character) {
            continue;
        }
        writer.write_all(&fragment.as_bytes()[written..start])?;
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
        written = start + character.len_utf8();
    }
    writer.write_all(&fragment.as_bytes()[written..])
}

/// Whether a character is invisible, or changes how others are shown.
const fn acts(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        String::from_utf8(escaped(text)).unwrap()
    }

    #[test]
    fn what_would_act_is_escaped_and_the_rest_is_left() {
        assert_eq!(written("plain \"q\" \\"), r#""plain \"q\" \\""#);
        assert_eq!(written("größe €"), "\"größe €\"");
        assert_eq!(written("a\u{2028}b\u{202e}c"), r#""a\u2028b\u202ec""#);
        assert_eq!(written("\u{7f}\u{85}\n"), r#""\u007f\u0085\n""#);
        assert_eq!(written("\u{e0041}"), r#""\udb40\udc41""#);
    }

    #[test]
    fn every_character_reads_back() {
        let all: String = ('\0'..=char::MAX).collect();
        let line = written(&all);
        assert!(!line.chars().any(acts));
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), all);
    }
}
