//! What people and programs read on standard output.

use std::io::Write;

use comfy_table::{Cell, ContentArrangement, Table, presets::UTF8_BORDERS_ONLY};

/// Writes a line. A reader that went away is no error.
pub(crate) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says something to people that programs are not to read.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A table for people.
pub(crate) fn table<R: IntoIterator<Item = String>>(
    header: impl IntoIterator<Item: Into<Cell>>,
    rows: impl IntoIterator<Item = R>,
) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table.add_rows(rows);
    table
}
