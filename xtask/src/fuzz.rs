//! `cargo xtask fuzz`: the long run, under libFuzzer on nightly.
use std::{ffi::OsStr, fs, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    prepare::Missing,
    run::{root, run, succeeds},
};

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The target; none: one after the other
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 10)]
    minutes: u32,
}

/// Runs one target or each; what is found ends it and is kept in fuzz/artifacts.
pub(crate) fn fuzz(args: &Args) -> Result<()> {
    let known = targets()?;
    let chosen = match &args.target {
        Some(name) if known.contains(name) => vec![name.clone()],
        Some(name) => bail!("there is no target {name}; there are {}", known.join(", ")),
        None => known,
    };
    if !succeeds(nightly().args(["fuzz", "--version"])) {
        let cure = "rustup toolchain install nightly; cargo install cargo-fuzz";
        return Err(Missing::new(format!("nightly Rust with cargo-fuzz: {cure}")).into());
    }
    let seconds = args.minutes.saturating_mul(60);
    chosen.iter().try_for_each(|target| one(target, seconds))
}

fn one(target: &str, seconds: u32) -> Result<()> {
    // What is found goes into a folder that is not kept: the corpus in the
    // repository is small, and chosen by hand.
    let grown = root().join("target/fuzz-corpus").join(target);
    fs::create_dir_all(&grown)?;
    // Our code has no unsafe block, so that the address sanitizer would find
    // nothing and cost half the runs.
    let mut command = nightly();
    command.args(["fuzz", "run", "--fuzz-dir", "fuzz", "--sanitizer", "none"]);
    command.arg(target).arg(grown);
    command.arg(root().join("fuzz/corpus").join(target));
    command.args(["--", "-max_len=8192", "-timeout=10"]);
    run(command.arg(format!("-max_total_time={seconds}")))
}

/// The cargo of the nightly toolchain; ours is in the environment.
fn nightly() -> Command {
    let mut command = Command::new("cargo");
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    command.arg("+nightly");
    command
}

/// The names of the targets, in order.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(folder).context("cannot read fuzz/fuzz_targets")?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(OsStr::to_str).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_there_is_not_is_refused_with_those_there_are() {
        let args = Args {
            target: Some("jwt".to_owned()),
            minutes: 1,
        };

        let told = fuzz(&args).expect_err("no such target").to_string();

        assert!(told.contains("jws") && told.contains("cookies"), "{told}");
    }
}
