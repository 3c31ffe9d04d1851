//! The page a problem document's `type` points at.

use std::fmt::Write;

use hallpass_api::status;
use hallpass_core::code::Code;

/// Allows the page its own inline style and nothing else.
pub(crate) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Hallpass: errors</title>\
<meta name=\"viewport\" content=\"width=device-width\"><style>\
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.5rem;border-bottom:1px solid #8886}\
:target{outline:2px solid}</style></head><body><h1>Errors</h1>\
<p>Each error answer has a <code>code</code>; it is the same in the log, the audit trail and the metrics.</p>\
<table><thead><tr><th>code</th><th>status</th><th>means</th><th>what the operator can do</th></tr></thead><tbody>";

/// The page, made of the table that also gives the answers.
pub(crate) fn render() -> String {
    let mut page = String::from(HEAD);
    for code in all_codes() {
        let (status, title, remedy) = (
            status::status(code),
            status::title(code),
            status::remedy(code),
        );
        let _ = write!(
            page,
            "<tr id=\"{code}\"><td><code>{code}</code></td><td>{status}</td><td>{title}</td><td>{remedy}</td></tr>"
        );
    }
    page.push_str("</tbody></table></body></html>");
    page
}

fn all_codes() -> impl Iterator<Item = Code> {
    Code::all()
}
