//! The browser SDK's own tests, and the interview page in Chromium.
#![allow(clippy::expect_used, reason = "a test may end with a message")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A folder of the repository.
fn folder(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(name)
}

/// Fails where a folder's npm packages are missing.
fn has_packages(name: &str) {
    assert!(
        folder(name).join("node_modules").is_dir(),
        "{name} lacks its npm packages: run `cargo xtask test`, which installs them"
    );
}

/// Runs a program in a folder whose npm packages must be there.
fn passes(name: &str, program: &str, arguments: &[&str]) {
    has_packages(name);
    let tests = Command::new(program)
        .args(arguments)
        .current_dir(folder(name))
        .env("HALLPASS_BIN", env!("CARGO_BIN_EXE_hallpass"))
        .output()
        .expect("Node 20 or later is missing: run `cargo xtask test`, which installs it");
    let (said, warned) = (
        String::from_utf8_lossy(&tests.stdout),
        String::from_utf8_lossy(&tests.stderr),
    );
    assert!(tests.status.success(), "{said}{warned}");
}

/// Runs one file of tests/browser.
fn in_chromium(file: &str) {
    let arguments = [
        "--test",
        "--test-reporter=spec",
        "--test-timeout=90000",
        file,
    ];
    passes("tests/browser", "node", &arguments);
}

#[test]
fn the_sdk_keeps_every_word_and_no_secret() {
    passes("clients/typescript", "npm", &["run", "unit"]);
}

#[test]
fn the_sdk_can_be_published_and_is_small() {
    passes("clients/typescript", "npm", &["run", "build"]);
    passes("clients/typescript", "npm", &["run", "check"]);
}

#[test]
fn what_is_embedded_is_what_its_sources_build() {
    has_packages("web");
    let build = ["../../web/build.mjs", "--check"];
    passes("clients/typescript", "node", &build);
}

#[test]
fn an_interview_goes_from_sign_in_to_summary() {
    in_chromium("interview.test.mjs");
}

#[test]
fn an_interview_outlives_its_secrets_and_connections() {
    in_chromium("renewal.test.mjs");
}

#[test]
fn a_visitor_is_told_why_it_can_not_go_on() {
    in_chromium("refusal.test.mjs");
}

#[test]
fn a_browser_holds_no_secret_where_it_does_not_belong() {
    in_chromium("secrets.test.mjs");
}

#[test]
fn other_sdks_talk_through_the_relay_and_hear_why_it_ended() {
    has_packages("examples/recipes");
    in_chromium("relay.test.mjs");
}

#[test]
fn other_sdks_hold_conversations_by_the_recipes() {
    has_packages("examples/recipes");
    in_chromium("recipes.test.mjs");
}

#[test]
fn the_nextjs_example_builds_and_its_login_is_enough() {
    has_packages("examples/nextjs");
    has_packages("clients/typescript");
    in_chromium("nextjs.test.mjs");
}

#[test]
fn every_view_of_the_page_is_accessible() {
    in_chromium("accessible.test.mjs");
}

#[test]
fn an_operator_watches_and_acts_in_the_console() {
    in_chromium("console.test.mjs");
}
