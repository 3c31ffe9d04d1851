//! A cell of comma-separated values (RFC 4180), safe for spreadsheets.

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// A text as a cell: quoted where it has to be, and with a `'` before it where
/// a spreadsheet would take it for a formula.
#[must_use]
pub fn cell(text: &str) -> String {
    let text = match text.starts_with(FORMULA) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    // A semicolon parts cells where a comma is the decimal point.
    if text.contains([',', ';', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_neither_a_formula_nor_two_cells() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,b"), "\"a,b\"");
        assert_eq!(cell("a;b"), "\"a;b\"");
        assert_eq!(cell("a\"b"), "\"a\"\"b\"");
        assert_eq!(cell("=cmd()"), "'=cmd()");
        assert_eq!(cell("@x,\ny"), "\"'@x,\ny\"");
        for formula in ["+1", "-1", "\t=1", "\r=1", "\n=1"] {
            let cell = cell(formula);
            assert!(cell.trim_start_matches('"').starts_with('\''), "{cell:?}");
        }
    }
}
