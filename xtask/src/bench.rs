//! `cargo xtask bench`: an optimised build, then the benchmark itself; a mint
//! is measured at what `cargo xtask dist` makes too, where that was run before.
mod auth;
mod page;

use std::{ffi::OsString, process::Command};

use anyhow::Result;

use crate::{
    dist::{PROFILE, by_last_counts, target_folder},
    run::{cargo, output, run},
    scan_corpus,
};

/// Arguments of `cargo xtask bench` and `cargo xtask soak`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Passed to the benchmark: `mint`, `relay`, `overload` or `replicas`, then its options;
    /// `--help` lists them. Or `trail`: the audit trail against the disk; or
    /// `registry`: what a grant costs the registry, and a mint beside a million
    /// of them; or `auth`: each kind of credential, and the whole step;
    /// or `scan`: the leak scanner
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    benchmark: Vec<OsString>,
}

/// Builds what is measured and runs the benchmark with the arguments given.
pub(crate) fn bench(args: &Args) -> Result<()> {
    if let Some((task, rest)) = args.benchmark.split_first() {
        let examples = EXAMPLES.iter().find(|(name, _, _)| task == name);
        if let Some((name, package, example)) = examples {
            return by_example(name, package, example, rest);
        }
        if task == "auth" {
            return auth::auth(rest, &target_folder()?);
        }
        if task == "scan" {
            return run(scan_corpus::scan().args(rest));
        }
    }
    let mut build = cargo(&["build", "--profile", PROFILE, "--locked"]);
    build.args(["--package", "hallpass-bench"]);
    if measures_hallpass(&args.benchmark) {
        build.args(["--package", "hallpass"]);
    }
    run(&mut build)?;
    let benchmark = target_folder()?.join(PROFILE).join("hallpass-bench");
    let mut command = Command::new(benchmark);
    command.args(&args.benchmark);
    let mints = args.benchmark.first().is_some_and(|task| task == "mint");
    if mints
        && measures_hallpass(&args.benchmark)
        && let Some(pgo) = by_last_counts()?
    {
        command.arg("--pgo").arg(pgo);
    }
    run(&mut command)
}

/// The soak is a part of the benchmark with a task of its own.
pub(crate) fn soak(args: Args) -> Result<()> {
    let options = args.benchmark.into_iter();
    bench(&Args {
        benchmark: std::iter::once(OsString::from("soak"))
            .chain(options)
            .collect(),
    })
}

/// What is measured by a crate's own example: its name here, package, example.
const EXAMPLES: [(&str, &str, &str); 2] = [
    ("trail", "hallpass-audit", "throughput"),
    ("registry", "hallpass-store-sqlite", "registry"),
];

/// Measures by an example, whose output is Markdown; a usual run's figures are
/// kept on the page.
fn by_example(name: &str, package: &str, example: &str, args: &[OsString]) -> Result<()> {
    let mut command = cargo(&["run", "--release", "--locked", "--quiet"]);
    command.args(["--package", package, "--example", example]);
    if !args.is_empty() {
        return run(command.arg("--").args(args));
    }
    let measured = String::from_utf8(output(&mut command)?)?;
    page::keep(&format!("cargo xtask bench {name}"), &measured)
}

/// Whether Hallpass has to be built too: it is not left out by `--only`, and
/// no other binary of it is named.
fn measures_hallpass(args: &[OsString]) -> bool {
    let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let spares = |arg: &str| matches!(arg, "--help" | "-h") || arg.starts_with("--hallpass");
    if args.iter().any(|arg| spares(arg)) {
        return false;
    }
    let separate = args.iter().skip_while(|arg| *arg != "--only").nth(1);
    let joined = args.iter().find_map(|arg| arg.strip_prefix("--only="));
    joined
        .or(separate.map(AsRef::as_ref))
        .is_none_or(|only| only.split(',').any(|peer| peer == "hallpass"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(line: &str) -> bool {
        let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        measures_hallpass(&args)
    }

    #[test]
    fn hallpass_is_built_unless_left_out() {
        assert!(measured("mint"));
        assert!(measured("mint --rounds 1"));
        assert!(measured("mint --only hallpass,forwarder"));
        assert!(measured("mint --only=nginx,hallpass --rounds 1"));
        assert!(!measured("mint --only forwarder"));
        assert!(!measured("mint --only=nginx,express"));
        assert!(!measured("mint --help"));
        assert!(!measured("mint --hallpass /usr/bin/hallpass"));
    }
}
