//! Hallpass as an operator runs it: `hallpass serve --config FILE`.
use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Result, ensure};

use super::{Recipe, Setting, free_address, said, text};
use crate::users::{AUDIENCE, ISSUER, ROLE};

/// Checks that the binary is built.
pub(super) fn prepare(binary: &Path) -> Result<String> {
    ensure!(
        binary.is_file(),
        "{} is missing: `cargo build --release -p hallpass`, or leave it out with --only",
        binary.display()
    );
    said(Command::new(binary).arg("--version"))
}

pub(super) fn recipe(binary: &Path, setting: &Setting, folder: &Path) -> Result<Recipe> {
    let address = free_address()?;
    let file = folder.join("hallpass.toml");
    let admin = free_address()?;
    fs::write(&file, configuration(setting, (address, admin), folder)?)?;
    let mut command = Command::new(binary);
    command.arg("serve").arg("--config").arg(&file);
    Ok(Recipe {
        command,
        address,
        admin: Some(admin),
        ready_path: "/readyz",
        path: "/api/generate-client-secret",
        body: r#"{"profile":"interview"}"#,
    })
}

/// Everything on as in production; only the limits are too wide to be hit.
fn configuration(
    setting: &Setting,
    (address, admin): (SocketAddr, SocketAddr),
    folder: &Path,
) -> Result<String> {
    let Setting {
        upstream,
        key,
        jwt_secret,
        upstream_settings,
        ..
    } = setting;
    let data = folder.join("data");
    fs::create_dir_all(&data)?;
    let data = text(&data)?;
    Ok(format!(
        r#"[server]
listen = "{address}"
admin_listen = "{admin}"
data_dir = "{data}"
max_connections = 4096
# One address may hold a thousand connections, unless it is a proxy.
trusted_proxies = ["127.0.0.1/32"]
drain_seconds = 2

[limits]
per_address_per_minute = 1000000000

[log]
format = "json"
level = "info"

[[upstream]]
name = "openai"
base_url = "http://{upstream}/v1"
api_key = "{key}"
{upstream_settings}
[[auth.jwt]]
name = "bench"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
algorithms = ["HS256"]
secret = "{jwt_secret}"
claims = {{ roles = "roles" }}

[profiles.interview]
mode = "direct"
expires_after_seconds = 60
session = {{ type = "realtime", model = "gpt-realtime-2.1", instructions = "You are a friendly interviewer.", audio = {{ output = {{ voice = "marin" }} }} }}

[roles.{ROLE}]
profiles = ["interview"]
permissions = ["grants:create"]
limits = {{ per_minute = 1000000000, per_hour = 1000000000, per_day = 1000000000 }}
"#
    ))
}
