//! `cargo xtask test`: every test of every kind in the repository.
use std::ffi::OsString;

use anyhow::Result;

use crate::{
    prepare,
    run::{cargo, run, succeeds},
};

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed to the test runner; the doc tests are then left out
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    runner: Vec<OsString>,
}

/// Installs what the tests need, then runs them all.
pub(crate) fn test(args: &Args) -> Result<()> {
    prepare::for_tests()?;
    let mut runner = cargo(runner());
    if !names_package(&args.runner) {
        runner.arg("--workspace");
    }
    run(runner.args(&args.runner))?;
    if !args.runner.is_empty() {
        return Ok(());
    }
    // nextest does not run doc tests; `cargo test` has just run them.
    if has_nextest() {
        run(&mut cargo(&["test", "--doc", "--workspace", "--locked"]))?;
    }
    Ok(())
}

fn runner() -> &'static [&'static str] {
    if has_nextest() {
        &["nextest", "run", "--locked"]
    } else {
        &["test", "--locked"]
    }
}

/// Whether the arguments choose packages, which `--workspace` would undo.
fn names_package(args: &[OsString]) -> bool {
    args.iter()
        .filter_map(|arg| arg.to_str())
        .take_while(|arg| *arg != "--")
        .any(|arg| arg == "-p" || arg.starts_with("--package"))
}

fn has_nextest() -> bool {
    succeeds(&mut cargo(&["nextest", "--version"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> bool {
        let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        names_package(&args)
    }

    #[test]
    fn a_chosen_package_is_seen() {
        assert!(names("-p hallpass-core"));
        assert!(names("--package=hallpass-core keys"));
        assert!(!names("keys"));
        assert!(!names("--no-fail-fast -- -p"));
    }
}
