//! The matrix as the documents show it.

use std::{fmt::Write as _, path::PathBuf};

use super::{house::Operation, rows::Seen};
use crate::fault_matrix::house::FAILURES;

/// Set to write the tables instead of holding them against the document.
const WRITE: &str = "HALLPASS_WRITE_MATRIX";

/// The rows of one operation.
pub(super) struct Table {
    operation: Operation,
    text: String,
}

impl Table {
    pub(super) fn new(operation: Operation) -> Self {
        let text = format!(
            "| OpenAI's side | status | code | attempts | minted there | possible orphan | breaker after {FAILURES} | connections left |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
        );
        Self { operation, text }
    }

    pub(super) fn add(&mut self, name: &str, seen: &Seen) {
        let Seen {
            status,
            code,
            attempts,
            minted,
            orphan,
            breaker,
            connections,
        } = seen;
        let orphan = if *orphan { "yes" } else { "no" };
        writeln!(
            self.text,
            "| {name} | {status} | {code} | {attempts} | {minted} | {orphan} | {breaker} | {connections} |"
        )
        .unwrap();
    }

    /// Holds the table against the document, or writes it there.
    pub(super) fn compare(self) {
        let begin = format!("<!-- fault matrix, {}: begin -->\n", self.operation.name());
        let end = format!("<!-- fault matrix, {}: end -->", self.operation.name());
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/upstream-failures.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = text.split_once(&begin).expect("the table's begin");
        let (old, tail) = rest.split_once(&end).expect("the table's end");
        if std::env::var_os(WRITE).is_some() {
            let table = &self.text;
            std::fs::write(path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
            return;
        }
        assert_eq!(
            old, self.text,
            "docs/upstream-failures.md is out of date: run these tests one after the other with {WRITE}=1"
        );
    }
}
