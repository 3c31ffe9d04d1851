//! `openai` from the Python Package Index against the real binary.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test may end with a message"
)]

use std::process::Command;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/pypi");

#[test]
fn the_official_python_package_talks_through_the_relay_and_hears_why_it_ended() {
    let tests = Command::new(format!("{FOLDER}/.venv/bin/python"))
        .args(["-m", "unittest", "--verbose"])
        .current_dir(FOLDER)
        .env("HALLPASS_BIN", env!("CARGO_BIN_EXE_hallpass"))
        .output()
        .expect("tests/pypi/.venv is missing: run `cargo xtask test`, which makes it");
    let (said, warned) = (
        String::from_utf8_lossy(&tests.stdout),
        String::from_utf8_lossy(&tests.stderr),
    );
    assert!(tests.status.success(), "{said}{warned}");
    println!("{warned}");
}
