//! Lines and columns.

use serde::Serialize;

/// A place in a text: line and column count from 1, the column in UTF-16 units
/// as source maps, editors and SARIF count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Turns offsets into positions; offsets are given in rising order.
pub(crate) struct Lines<'t> {
    text: &'t [u8],
    line: usize,
    line_start: usize,
    seen: usize,
    column: usize,
}

impl<'t> Lines<'t> {
    pub(crate) const fn new(text: &'t [u8]) -> Self {
        Self {
            text,
            line: 1,
            line_start: 0,
            seen: 0,
            column: 1,
        }
    }

    /// The position of an offset that is no lower than the last.
    pub(crate) fn position(&mut self, offset: usize) -> Position {
        let offset = offset.min(self.text.len()).max(self.seen);
        let passed = &self.text[self.seen..offset];
        let breaks = memchr::memchr_iter(b'\n', passed).count();
        if breaks > 0 {
            self.line += breaks;
            self.line_start = self.seen + memchr::memrchr(b'\n', passed).map_or(0, |at| at + 1);
            self.column = 1;
        }
        let from = self.seen.max(self.line_start);
        self.column += utf16_units(&self.text[from..offset]);
        self.seen = offset;
        Position {
            line: self.line,
            column: self.column,
        }
    }
}

/// UTF-16 units of a text in UTF-8; a byte that is none counts as one.
fn utf16_units(text: &[u8]) -> usize {
    let units = |byte: &u8| match byte {
        0x80..=0xbf => 0,
        0xf0..=0xf7 => 2,
        _ => 1,
    };
    text.iter().map(units).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_utf16_units() {
        let text = "ab\ncd€f😀g\n\nh";
        let mut lines = Lines::new(text.as_bytes());
        let mut at = |needle: &str| {
            let Position { line, column } = lines.position(text.find(needle).unwrap());
            (line, column)
        };
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("b"), (1, 2));
        assert_eq!(at("c"), (2, 1));
        assert_eq!(at("f"), (2, 4));
        assert_eq!(at("g"), (2, 7));
        assert_eq!(at("h"), (4, 1));
    }
}
