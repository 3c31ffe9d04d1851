//! OpenAI's own npm package, pointed at a running `hallpass dev`.
#![allow(clippy::expect_used, reason = "a test may end with a message")]

use std::{path::Path, process::Command};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/npm");

#[test]
fn the_official_package_gets_a_secret_and_opens_a_session() {
    assert!(
        Path::new(FOLDER).join("node_modules/openai").is_dir(),
        "tests/npm lacks the openai package: run `cargo xtask test`, which installs it"
    );
    let tests = Command::new("node")
        .args(["--test", "--test-reporter=spec", "--test-timeout=60000"])
        .current_dir(FOLDER)
        .env("HALLPASS_BIN", env!("CARGO_BIN_EXE_hallpass"))
        .output()
        .expect("Node 20 or later is missing: run `cargo xtask test`, which installs it");
    let (said, warned) = (
        String::from_utf8_lossy(&tests.stdout),
        String::from_utf8_lossy(&tests.stderr),
    );
    assert!(tests.status.success(), "{said}{warned}");
}
