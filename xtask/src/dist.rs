//! `cargo xtask dist`: the server, laid out by what a run of it showed.
//!
//! A server that counts its own branches is built first, and minted from and
//! relayed through by the benchmarks; the second build lays the code out by
//! those counts (rustc's `-C profile-generate` and `-C profile-use`). It takes
//! three times as long as `cargo build --profile dist`, and a mint costs an eighth
//! less.
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::{
    prepare::Missing,
    run::{cargo, output, root, run, succeeds},
};

/// The profile both builds go by.
pub(crate) const PROFILE: &str = "dist";

/// What the server is used for while it counts: every level of the mint, then
/// sessions that talk, for some seconds each.
const USES: [&str; 2] = [
    "mint --only hallpass --rounds 1 --seconds 3",
    "relay --only hallpass --rounds 1 --seconds 5 --sessions 100 --idle 0",
];

/// Where everything of these builds is.
struct Folder(PathBuf);

impl Folder {
    fn here() -> Result<Self> {
        Ok(Self(target_folder()?.join("pgo")))
    }

    /// What a server counted, run by run.
    fn counts(&self) -> PathBuf {
        self.0.join("counts")
    }

    /// The sums of it.
    fn merged(&self) -> PathBuf {
        self.0.join("merged.profdata")
    }

    fn trained(&self) -> PathBuf {
        self.0.join("trained")
    }

    /// Builds the server by what was counted; gives where it is put.
    fn build_trained(&self) -> Result<PathBuf> {
        let built = build(&self.trained(), "profile-use", &self.merged())?;
        let shipped = self.0.join("hallpass");
        fs::copy(&built, &shipped)
            .with_context(|| format!("cannot copy {} to {}", built.display(), shipped.display()))?;
        Ok(shipped)
    }
}

/// Builds the server twice, and uses it in between.
pub(crate) fn dist() -> Result<()> {
    let profdata = profdata()?;
    let folder = Folder::here()?;
    // Cargo does not see that the counts are others.
    for stale in [folder.counts(), folder.trained()] {
        match fs::remove_dir_all(stale) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let counting = folder.0.join("counting");
    use_it(&build(&counting, "profile-generate", &folder.counts())?)?;
    let mut merge = Command::new(profdata);
    merge.args(["merge", "--output"]);
    run(merge.arg(folder.merged()).arg(folder.counts()))?;
    println!("{}", folder.build_trained()?.display());
    Ok(())
}

/// The server of the sources as they are, by what was counted last; none where
/// nothing was counted yet.
pub(crate) fn by_last_counts() -> Result<Option<PathBuf>> {
    let folder = Folder::here()?;
    if !folder.merged().is_file() {
        return Ok(None);
    }
    folder.build_trained().map(Some)
}

/// Lets the benchmarks use a server.
fn use_it(server: &Path) -> Result<()> {
    run(&mut cargo(&[
        "build",
        "--profile",
        PROFILE,
        "--locked",
        "--package",
        "hallpass-bench",
    ]))?;
    let benchmark = target_folder()?.join(PROFILE).join("hallpass-bench");
    USES.iter().try_for_each(|how| {
        let mut command = Command::new(&benchmark);
        command.args(how.split(' ')).arg("--hallpass").arg(server);
        run(&mut command)
    })
}

/// Builds the server into a folder of its own, with an option of rustc's that
/// names a path; gives where it is.
fn build(folder: &Path, option: &str, path: &Path) -> Result<PathBuf> {
    let host = said(&["--print", "host-tuple"])?;
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags.push_str(&format!(" -C{option}={}", path.display()));
    let mut build = cargo(&["build", "--profile", PROFILE, "--locked"]);
    build.args(["--package", "hallpass"]);
    // With a target named, flags are not for build scripts and macros.
    build.args(["--target", &host, "--target-dir"]).arg(folder);
    run(build.env("RUSTFLAGS", flags.trim()))?;
    Ok(folder.join(host).join(PROFILE).join("hallpass"))
}

/// LLVM's own tool that adds counts up; installed where rustup may.
fn profdata() -> Result<PathBuf> {
    let sysroot = PathBuf::from(said(&["--print", "sysroot"])?);
    let host = said(&["--print", "host-tuple"])?;
    let tool = sysroot
        .join("lib/rustlib")
        .join(host)
        .join("bin/llvm-profdata");
    if !tool.is_file() {
        let mut rustup = Command::new("rustup");
        rustup.args(["component", "add", "llvm-tools"]);
        if !succeeds(rustup.current_dir(root())) || !tool.is_file() {
            let cure = "llvm-profdata: rustup component add llvm-tools";
            return Err(Missing::new(cure).into());
        }
    }
    Ok(tool)
}

/// What the compiler says of itself.
fn said(question: &[&str]) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = String::from_utf8(output(Command::new(rustc).args(question))?)?;
    let answer = answer.trim();
    ensure!(!answer.is_empty(), "rustc says nothing to {question:?}");
    Ok(answer.to_owned())
}

/// Where cargo builds.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let metadata = output(&mut cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata)?;
    let folder = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target folder")?;
    Ok(root().join(folder))
}
