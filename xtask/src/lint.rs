//! `cargo xtask lint`: what must hold before a test is run.
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::{
    deps_check, generated,
    run::{cargo, root, run, succeeds},
};

/// Arguments of `cargo xtask lint`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The checks to run, in this order; all where none is named
    checks: Vec<Check>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Check {
    Fmt,
    Clippy,
    Doc,
    Deny,
    Deps,
    Locks,
    Openapi,
    Schema,
    Metrics,
}

/// Runs the checks; the first that fails ends it.
pub(crate) fn lint(args: &Args) -> Result<()> {
    let all = Check::value_variants();
    let checks = if args.checks.is_empty() {
        all
    } else {
        &args.checks
    };
    checks.iter().try_for_each(|check| check.run())
}

impl Check {
    fn run(self) -> Result<()> {
        match self {
            Self::Fmt => run(&mut cargo(&["fmt", "--all", "--check"])),
            Self::Clippy => run(&mut clippy()),
            Self::Doc => run(&mut doc()),
            Self::Deny => deny(),
            Self::Deps => deps_check::deps_check(),
            Self::Locks => locks(),
            Self::Openapi => generated::OPENAPI.update(&generated::Args::CHECK),
            Self::Schema => generated::SCHEMA.update(&generated::Args::CHECK),
            Self::Metrics => generated::METRICS.update(&generated::Args::CHECK),
        }
    }
}

/// The workspaces beside ours build our crates too, so a dependency one of those
/// gets must stand in their lock files.
fn locks() -> Result<()> {
    const BESIDE: [&str; 2] = ["fuzz/Cargo.toml", "simulation/Cargo.toml"];
    BESIDE.iter().try_for_each(|manifest| {
        let mut update = cargo(&["update", "--workspace", "--locked", "--manifest-path"]);
        run(update.arg(root().join(manifest)))
    })
}

fn clippy() -> Command {
    let scope = ["clippy", "--workspace", "--all-targets", "--locked"];
    let mut clippy = cargo(&scope);
    clippy.args(["--", "-D", "warnings"]);
    clippy
}

fn doc() -> Command {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    doc.arg("--document-private-items");
    doc.env("RUSTDOCFLAGS", "-D warnings");
    doc
}

/// Advisories are left out: they need a database that changes under a build.
fn deny() -> Result<()> {
    if !succeeds(&mut cargo(&["deny", "--version"])) {
        run(&mut cargo(&["install", "--locked", "cargo-deny"]))?;
    }
    run(&mut cargo(&[
        "deny", "check", "bans", "licenses", "sources",
    ]))
}
