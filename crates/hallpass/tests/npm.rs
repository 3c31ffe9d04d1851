//! Packages from npm, and a browser, against the real binary.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may end with a message, and tells its seed"
)]

use std::{path::Path, process::Command};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/npm");

/// Runs one file of the folder in Node, which tells what failed.
fn passes(file: &str, package: &str) {
    assert!(
        Path::new(FOLDER)
            .join("node_modules")
            .join(package)
            .is_dir(),
        "tests/npm lacks the package {package}: run `cargo xtask test`, which installs it"
    );
    let tests = Command::new("node")
        .args(["--test", "--test-reporter=spec", "--test-timeout=100000"])
        .arg(file)
        .current_dir(FOLDER)
        .env("HALLPASS_BIN", env!("CARGO_BIN_EXE_hallpass"))
        .output()
        .expect("Node 20 or later is missing: run `cargo xtask test`, which installs it");
    let (said, warned) = (
        String::from_utf8_lossy(&tests.stdout),
        String::from_utf8_lossy(&tests.stderr),
    );
    assert!(tests.status.success(), "{said}{warned}");
    println!("{said}");
}

#[test]
fn the_official_package_gets_a_secret_and_opens_a_session() {
    passes("openai.test.mjs", "openai");
}

#[test]
fn a_hostile_page_mints_nothing_and_reads_nothing() {
    passes("browser.test.mjs", "playwright-core");
}

#[test]
fn calls_are_made_watched_and_hung_up_in_a_browser() {
    passes("calls.test.mjs", "@openai/agents-realtime");
}

#[test]
fn whatever_hallpass_accepts_jose_accepts() {
    passes("jose.test.mjs", "jose");
}

#[test]
fn the_official_packages_talk_through_the_relay() {
    passes("relay.test.mjs", "@openai/agents-realtime");
}

#[test]
fn the_standard_webhooks_library_accepts_alerts() {
    passes("webhook.test.mjs", "standardwebhooks");
}
