//! `cargo xtask scan-corpus`: what browsers run of fifty well-known packages
//! must hold no find.
use std::{fs, process::Command};

use anyhow::Result;

use crate::run::{cargo, root, run};

/// Installs the packages that `tests/scan-corpus/package.json` names into the
/// target folder, without running their scripts, and scans them.
pub(crate) fn scan_corpus() -> Result<()> {
    let folder = root().join("target/scan-corpus");
    fs::create_dir_all(&folder)?;
    fs::copy(
        root().join("tests/scan-corpus/package.json"),
        folder.join("package.json"),
    )?;
    let mut install = Command::new("npm");
    install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund"]);
    run(install
        .arg("--legacy-peer-deps")
        .arg("--prefix")
        .arg(&folder))?;
    let mut scan = scan();
    scan.arg("--must-be-clean");
    run(scan.arg(folder.join("node_modules")))
}

/// The release build of the scanner's measuring program.
pub(crate) fn scan() -> Command {
    let mut example = cargo(&["run", "--release", "--locked", "--quiet"]);
    example.args(["--package", "hallpass-scan", "--example", "scan-throughput"]);
    example.arg("--");
    example
}
