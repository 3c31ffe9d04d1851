//! `cargo xtask bench auth`: criterion's figures, in a table.
use std::{ffi::OsString, fs, path::Path};

use anyhow::Result;

use super::page;
use crate::run::{cargo, run};

/// The kinds of credential, as the benchmark names them.
const KINDS: [&str; 7] = [
    "HS256",
    "RS256",
    "ES256",
    "EdDSA",
    "NextAuth v4 session",
    "Auth.js v5 session",
    "API key",
];
/// The groups of the benchmark, which are the columns.
const GROUPS: [(&str, &str); 3] = [
    ("first", "verified first"),
    ("again", "verified again"),
    ("step", "whole step"),
];

/// Measures, and writes what was measured.
pub(super) fn auth(args: &[OsString], target: &Path) -> Result<()> {
    let mut bench = cargo(&["bench", "--locked", "--package", "hallpass-http"]);
    bench.args(["--bench", "auth", "--"]).args(args);
    run(&mut bench)?;
    let table = table(|group, kind| median(&target.join("criterion").join(group).join(kind)));
    page::keep("cargo xtask bench auth", &table)
}

/// The median of one benchmark, in nanoseconds.
fn median(folder: &Path) -> Option<f64> {
    let text = fs::read_to_string(folder.join("new/estimates.json")).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

fn table(median: impl Fn(&str, &str) -> Option<f64>) -> String {
    let heading = GROUPS.map(|(_, title)| title).join(" | ");
    let mut lines = vec![
        "One thread; medians of criterion, in microseconds; in brackets how many a second."
            .to_owned(),
        String::new(),
        format!("| credential | {heading} |"),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    lines.extend(KINDS.map(|kind| {
        let cells = GROUPS.map(|(group, _)| cell(median(group, kind)));
        format!("| {kind} | {} |", cells.join(" | "))
    }));
    lines.join("\n")
}

fn cell(nanoseconds: Option<f64>) -> String {
    nanoseconds.map_or_else(
        || "-".to_owned(),
        |time| format!("{:.1} ({:.0})", time / 1e3, 1e9 / time),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_kind_and_a_dash_where_nothing_was_measured() {
        let table = table(|group, kind| (group == "first" && kind == "RS256").then_some(25_000.0));

        assert!(
            table.contains("| RS256 | 25.0 (40000) | - | - |"),
            "{table}"
        );
        assert_eq!(
            table.lines().filter(|line| line.starts_with("| ")).count(),
            9
        );
    }
}
