//! The Express server under `bench/peers/express`.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{Recipe, Setting, free_address, said};

/// Installs the pinned packages where they are missing.
pub(super) fn prepare() -> Result<String> {
    let node = said(Command::new("node").arg("--version"))
        .context("Node 20 or later is missing: install it, or leave Express out with --only")?;
    let folder = folder();
    let lock = fs::read(folder.join("package-lock.json"))?;
    if fs::read(marker()).ok().as_ref() != Some(&lock) {
        said(npm_ci().current_dir(&folder))?;
        fs::write(marker(), lock)?;
    }
    Ok(format!(
        "Express {} on Node {node}",
        express_version(&folder)?
    ))
}

/// A copy of the lock file that was installed last.
fn marker() -> PathBuf {
    folder().join("node_modules/.installed-lock.json")
}

fn npm_ci() -> Command {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    npm
}

fn express_version(folder: &Path) -> Result<String> {
    let manifest = fs::read(folder.join("node_modules/express/package.json"))?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
    let version = manifest["version"].as_str();
    Ok(version.context("express names no version")?.to_owned())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/express")
}

pub(super) fn recipe(setting: &Setting, run: &Path) -> Result<Recipe> {
    let address = free_address()?;
    let mut command = Command::new("node");
    command
        .arg(folder().join("server.mjs"))
        .env("NODE_ENV", "production")
        .env("PORT", address.port().to_string())
        .env("JWT_SECRET", &setting.jwt_secret)
        .env("OPENAI_API_KEY", &setting.key)
        .env("OPENAI_BASE_URL", format!("http://{}/v1", setting.upstream))
        .env("AUDIT_FILE", run.join("audit.log"));
    Ok(Recipe {
        command,
        address,
        admin: None,
        ready_path: "/",
        path: "/api/generate-client-secret",
        body: "{}",
    })
}
