//! Records as a table for spreadsheets.

use hallpass_core::csv::cell;

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
    cells.map(|text| cell(&text)).join(",")
}
