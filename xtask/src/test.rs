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
    run(cargo(runner()).args(&args.runner))?;
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
        &["nextest", "run", "--workspace", "--locked"]
    } else {
        &["test", "--workspace", "--locked"]
    }
}

fn has_nextest() -> bool {
    succeeds(&mut cargo(&["nextest", "--version"]))
}
