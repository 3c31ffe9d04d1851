//! Records as a table for spreadsheets.

use crate::stored::StoredRecord;

/// The columns, in order.
pub const CSV_HEADER: &str = "sequence,time,action,phase,outcome,code,reason,subject,scheme,credential,grant,session_id,address,method,route,request_id";

/// A record as a line of CSV (RFC 4180), without its line end.
///
/// A text that a spreadsheet would take for a formula begins with `'`.
#[must_use]
pub fn csv_row(record: &StoredRecord) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
        record.sequence.to_string(),
        record.time.to_string(),
        record.action.clone(),
        record.phase.to_string(),
        record.outcome.to_string(),
        text(&record.code),
        text(&record.reason),
        text(&record.subject),
        record
            .scheme
            .map(|scheme| scheme.to_string())
            .unwrap_or_default(),
        text(&record.credential),
        record.grant_id().unwrap_or_default().to_owned(),
        text(&record.session_id),
        record
            .address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        text(&record.method),
        text(&record.route),
        text(&record.request_id),
    ];
    cells.map(|cell| quoted(&cell)).join(",")
}

fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula {
        format!("'{cell}")
    } else {
        cell.to_owned()
    };
    if cell.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_neither_a_formula_nor_two_cells() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("=cmd()"), "'=cmd()");
        assert_eq!(quoted("@x,\ny"), "\"'@x,\ny\"");
    }
}
