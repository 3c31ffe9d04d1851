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

/// The example with its commented settings in force; the files it names are made.
fn everything_on(folder: &Path) -> String {
    for name in [
        "cert.pem",
        "key.pem",
        "private-ca.pem",
        "openai",
        "auth_secret",
        "install-key",
        "own.json",
    ] {
        std::fs::write(
            folder.join(name),
            concat!("kT9vQ2mZx7Lr4Wb8", "Ys1Nc6Hd3Jf5Gp0R"),
        )
        .unwrap();
    }
    let secret = concat!("whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    std::fs::write(folder.join("webhook"), secret).unwrap();
    std::fs::write(folder.join("otlp"), "x-tenant=a").unwrap();
    let is_setting = |line: &str| {
        let name = line.split_once(" = ").map_or("-", |(name, _)| name);
        (line.starts_with('[') && line.ends_with(']'))
            || name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let text = std::fs::read_to_string(example()).unwrap();
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if is_setting(setting) => setting,
        _ => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    text.replace("/run/secrets/", "").replace("tls/", "")
}

#[test]
fn the_commented_settings_are_right_too() {
    let folder = tempfile::tempdir().unwrap();
    let text = everything_on(folder.path());
    assert!(text.contains("\n[[auth.session_cookie]]\n") && text.contains("\nkey_file = "));
    let loaded = hallpass_config::from_toml_str(&text, folder.path())
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.ready_to_serve(false), Ok(()));
}
