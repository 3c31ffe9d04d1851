//! Our own bare forwarder, as a process of its own.
use std::process::Command;

use anyhow::Result;

use super::{OPENAI_BODY, Recipe, Setting, free_address};

/// Part of this workspace, so its lock file says the rest.
pub(super) const VERSION: &str = "axum 0.8, hyper-util's client, one thread";

pub(super) fn recipe(setting: &Setting) -> Result<Recipe> {
    let address = free_address()?;
    let upstream = format!("http://{}/v1/realtime/client_secrets", setting.upstream);
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["forwarder", "--listen", &address.to_string()]);
    command.args(["--upstream", &upstream]);
    command.env("OPENAI_API_KEY", &setting.key);
    Ok(Recipe {
        command,
        address,
        admin: None,
        ready_path: "/",
        path: "/v1/realtime/client_secrets",
        body: OPENAI_BODY,
    })
}
