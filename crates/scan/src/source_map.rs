//! Source maps: the sources they carry, and from where a place was made.

use serde::Deserialize;

use crate::position::Position;

/// A source map of version 3, plain or in sections.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SourceMap {
    sources: Vec<Option<String>>,
    sources_content: Vec<Option<String>>,
    mappings: String,
    sections: Vec<Section>,
}

#[derive(Debug, Deserialize)]
struct Section {
    offset: Offset,
    #[serde(default)]
    map: SourceMap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Offset {
    line: usize,
    column: usize,
}

impl SourceMap {
    /// Reads a map; none when the text is no map.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        // Servers may put `)]}'` before it so that no page can run it.
        let text = match text.strip_prefix(b")]}'") {
            Some(rest) => &rest[memchr::memchr(b'\n', rest)?..],
            None => text,
        };
        let map: Self = serde_json::from_slice(text).ok()?;
        let says_something =
            !map.mappings.is_empty() || !map.sources_content.is_empty() || !map.sections.is_empty();
        says_something.then_some(map)
    }

    /// The map that a program carries within itself.
    pub(crate) fn inline(program: &[u8]) -> Option<Self> {
        let url = mapping_url(program)?;
        let (kind, encoded) = url.strip_prefix("data:application/json")?.split_once(',')?;
        if !kind.ends_with(";base64") {
            return Self::parse(&percent_decoded(encoded.as_bytes()));
        }
        let text = crate::decode::base64(encoded.as_bytes(), 0, 0).text;
        // A long map is read past the bound of a needle's reading.
        let whole = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, encoded.trim_end());
        Self::parse(&whole.unwrap_or(text))
    }

    /// Every source the map carries, with its name.
    pub(crate) fn contents(&self) -> Vec<(&str, &str)> {
        let own = self
            .sources_content
            .iter()
            .enumerate()
            .filter_map(|(at, content)| {
                let name = self
                    .sources
                    .get(at)
                    .and_then(Option::as_deref)
                    .unwrap_or("(unnamed)");
                content.as_deref().map(|content| (name, content))
            });
        own.chain(
            self.sections
                .iter()
                .flat_map(|section| section.map.contents()),
        )
        .collect()
    }

    /// From where the place in the program was made.
    pub(crate) fn original(&self, at: Position) -> Option<(String, Position)> {
        let wanted = Offset {
            line: at.line.checked_sub(1)?,
            column: at.column.checked_sub(1)?,
        };
        self.lookup(wanted)
    }

    fn lookup(&self, wanted: Offset) -> Option<(String, Position)> {
        let section = self
            .sections
            .iter()
            .rev()
            .find(|section| section.offset <= wanted);
        if let Some(Section { offset, map }) = section {
            let same_line = wanted.line == offset.line;
            let column = if same_line {
                wanted.column - offset.column
            } else {
                wanted.column
            };
            let line = wanted.line - offset.line;
            return map.lookup(Offset { line, column });
        }
        let mut state = State::default();
        let mut best = None;
        for (line, segments) in self.mappings.split(';').enumerate().take(wanted.line + 1) {
            state.column = 0;
            for segment in segments.split(',').filter(|segment| !segment.is_empty()) {
                let has_source = state.advance(segment)?;
                if line == wanted.line && state.column <= wanted.column as i64 {
                    best = has_source.then_some((state.source, state.line, state.source_column));
                }
            }
        }
        let (source, line, column) = best?;
        let name = self.sources.get(usize::try_from(source).ok()?)?.clone()?;
        let position = Position {
            line: usize::try_from(line).ok()? + 1,
            column: usize::try_from(column).ok()? + 1,
        };
        Some((name, position))
    }
}

/// A text without its percent-encoding; what is none stays.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| byte == b'%');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = &after[if code.is_some() { 2 } else { 0 }..];
        bytes.push(code.unwrap_or(byte));
    }
    bytes
}

/// The address behind `sourceMappingURL=` at the end of a program.
pub(crate) fn mapping_url(program: &[u8]) -> Option<&str> {
    let name = b"sourceMappingURL=";
    let at = memchr::memmem::rfind(program, name)? + name.len();
    let rest = program.get(at..)?;
    let end = rest
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'*'));
    std::str::from_utf8(rest.get(..end.unwrap_or(rest.len()))?).ok()
}

/// Where the mappings have got to; every number in them is a difference.
#[derive(Default)]
struct State {
    column: i64,
    source: i64,
    line: i64,
    source_column: i64,
}

impl State {
    /// Goes one segment on; whether it has a source. None when it is damaged.
    fn advance(&mut self, segment: &str) -> Option<bool> {
        let mut numbers = numbers(segment.as_bytes());
        self.column = self.column.checked_add(numbers.next()??)?;
        let Some(source) = numbers.next() else {
            return Some(false);
        };
        self.source = self.source.checked_add(source?)?;
        self.line = self.line.checked_add(numbers.next()??)?;
        self.source_column = self.source_column.checked_add(numbers.next()??)?;
        Some(true)
    }
}

/// The numbers of a segment in base64 VLQ; none for what is damaged.
fn numbers(segment: &[u8]) -> impl Iterator<Item = Option<i64>> + '_ {
    let mut digits = segment.iter();
    std::iter::from_fn(move || {
        let first = digits.next()?;
        Some(number(*first, &mut digits))
    })
}

fn number(first: u8, rest: &mut std::slice::Iter<'_, u8>) -> Option<i64> {
    let mut digit = i64::from(sextet(first)?);
    let mut value = digit & 31;
    let mut shift = 5;
    while digit & 32 != 0 {
        if shift > 40 {
            return None;
        }
        digit = i64::from(sextet(*rest.next()?)?);
        value |= (digit & 31) << shift;
        shift += 5;
    }
    let magnitude = value >> 1;
    Some(if value & 1 == 1 {
        -magnitude
    } else {
        magnitude
    })
}

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original(map: &str, line: usize, column: usize) -> Option<(String, usize, usize)> {
        let map = SourceMap::parse(map.as_bytes()).unwrap();
        let found = map.original(Position { line, column })?;
        Some((found.0, found.1.line, found.1.column))
    }

    #[test]
    fn places_are_looked_up() {
        // Line 1: column 0 is a.ts 1:1, column 8 is b.ts 3:5. Line 2: column 2 is b.ts 4:1.
        let map = r#"{"version":3,"sources":["a.ts","b.ts"],"mappings":"AAAA,QCEI;EACJ"}"#;
        assert_eq!(original(map, 1, 1), Some(("a.ts".to_owned(), 1, 1)));
        assert_eq!(original(map, 1, 8), Some(("a.ts".to_owned(), 1, 1)));
        assert_eq!(original(map, 1, 90), Some(("b.ts".to_owned(), 3, 5)));
        assert_eq!(original(map, 2, 3), Some(("b.ts".to_owned(), 4, 1)));
        assert_eq!(original(map, 2, 1), None);
        assert_eq!(original(map, 9, 1), None);
    }

    #[test]
    fn sections_are_looked_into() {
        let map = r#"{"version":3,"sections":[
            {"offset":{"line":0,"column":0},"map":{"sources":["a.ts"],"mappings":"AAAA"}},
            {"offset":{"line":2,"column":4},"map":{"sources":["b.ts"],"sourcesContent":["x"],"mappings":"AAAA"}}]}"#;
        assert_eq!(original(map, 3, 9), Some(("b.ts".to_owned(), 1, 1)));
        assert_eq!(original(map, 1, 2), Some(("a.ts".to_owned(), 1, 1)));
        let map = SourceMap::parse(map.as_bytes()).unwrap();
        assert_eq!(map.contents(), [("b.ts", "x")]);
    }

    #[test]
    fn a_map_within_a_program_may_be_percent_encoded() {
        let map = "%7B%22sources%22:[%22a.ts%22],%22sourcesContent%22:[%22x%22]}";
        for kind in ["", ";charset=utf-8"] {
            let program = format!("f()\n//# sourceMappingURL=data:application/json{kind},{map}\n");
            let map = SourceMap::inline(program.as_bytes()).unwrap();
            assert_eq!(map.contents(), [("a.ts", "x")], "{kind}");
        }
    }

    #[test]
    fn damaged_mappings_say_nothing() {
        for mappings in ["gggggggggggggggggg", "A", "AA", "!!!!"] {
            let map = format!(r#"{{"sources":["a"],"mappings":"{mappings}"}}"#);
            assert_eq!(original(&map, 1, 1), None, "{mappings}");
        }
    }
}
