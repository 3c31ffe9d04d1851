//! The annotated example is a configuration that works.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;

use hallpass_config::{Sources, load};

fn example() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../hallpass.example.toml")
}

#[test]
fn the_example_passes_with_nothing_else() {
    let environment = BTreeMap::new();
    let loaded = load(Sources {
        file: Some(&example()),
        environment: &environment,
        flags: &[],
    })
    .unwrap_or_else(|problems| panic!("{problems}"));
    let warnings: Vec<&str> = loaded
        .warnings
        .iter()
        .map(|warning| warning.what.as_str())
        .collect();
    assert_eq!(warnings, ["the upstream has no key"]);
}

#[test]
fn the_example_shows_every_setting() {
    let text = std::fs::read_to_string(example()).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&hallpass_config::json_schema()).unwrap();
    let sections = schema["$defs"].as_object().unwrap().values();
    let members = sections
        .filter_map(|section| section["properties"].as_object())
        .flat_map(|members| members.keys());
    // Said once in a comment, or the obvious other half of a pair.
    let elsewhere = [
        "per_day",
        "concurrent_grants",
        "tenant",
        "api_key",
        "secrets",
    ];
    for member in members.filter(|member| !elsewhere.contains(&member.as_str())) {
        assert!(
            text.contains(member.as_str()),
            "the example does not show `{member}`"
        );
    }
}
