//! The rules of `ops/prometheus`, by Prometheus's own tool, and the metrics
//! they name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ops/prometheus");
const TABLE: &str = include_str!("../../../docs/metrics.md");

fn promtool(arguments: &[&str]) {
    let run = Command::new("promtool")
        .args(arguments)
        .current_dir(FOLDER)
        .output()
        .expect("promtool is missing: run `cargo xtask test`, which installs it");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let warned = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{said}{warned}");
}

#[test]
fn the_rules_are_well_formed() {
    promtool(&["check", "rules", "hallpass.rules.yml"]);
}

#[test]
fn the_rules_fire_and_end_as_their_tests_say() {
    promtool(&["test", "rules", "hallpass.rules.test.yml"]);
}

#[test]
fn the_rules_name_metrics_there_are() {
    let rules = std::fs::read_to_string(format!("{FOLDER}/hallpass.rules.yml")).unwrap();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = rules.split(|c: char| !is_name(c));
    let names = words.filter(|word| word.starts_with("hallpass_"));
    let mut seen = 0;
    for name in names {
        // A histogram's series have names of their own.
        let parts = ["_count", "_bucket", "_sum"];
        let metric = parts.iter().find_map(|part| name.strip_suffix(part));
        let metric = metric.unwrap_or(name);
        assert!(TABLE.contains(&format!("`{metric}`")), "{metric}");
        seen += 1;
    }
    assert!(seen > 8, "{seen}");
}
