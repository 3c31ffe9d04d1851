//! `docs/security-practices.md` names tests: each of them exists.

use std::path::Path;

const PAGE: &str = include_str!("../../../../docs/security-practices.md");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The page's `file.rs::name`s.
fn named() -> Vec<(&'static str, &'static str)> {
    let quoted = PAGE.split('`').skip(1).step_by(2);
    quoted.filter_map(|text| text.split_once(".rs::")).collect()
}

#[test]
fn every_test_that_is_named_is_one() {
    let all = named();
    assert!(all.len() > 30, "{}", all.len());
    for (file, name) in all {
        let path = Path::new(ROOT).join(format!("{file}.rs"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let start = format!("fn {name}(");
        let mut before = text.split(&start);
        let attributes = before.next().unwrap();
        assert!(before.next().is_some(), "{file}.rs has no {name}");
        let last = attributes.rsplit("\n\n").next().unwrap();
        let is_test = last.contains("test") || text.contains("proptest!");
        assert!(is_test, "{name} is no test");
    }
}

#[test]
fn every_risk_of_the_list_has_a_row_with_a_test() {
    for number in 1..=10 {
        let start = format!("| API{number} ");
        let row = PAGE.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("API{number} has no row"));
        assert!(row.contains(".rs::"), "{row}");
    }
}
