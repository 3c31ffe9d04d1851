//! nginx adding the key, with a kept upstream and an access log.
use std::{fs, path::Path, process::Command};

use anyhow::{Result, bail};

use super::{OPENAI_BODY, Recipe, Setting, free_address, said, text};

/// Installs nginx where it is missing and may be installed.
pub(crate) fn prepare() -> Result<String> {
    if let Ok(version) = version() {
        return Ok(version);
    }
    if said(Command::new("id").arg("-u"))? != "0" || said(&mut apt(&["--version"])).is_err() {
        bail!("nginx is missing: install it (apt-get install nginx), or leave it out with --only");
    }
    said(&mut apt(&["update", "-q"]))?;
    said(&mut apt(&[
        "install",
        "-q",
        "-y",
        "--no-install-recommends",
        "nginx",
    ]))?;
    version()
}

fn version() -> Result<String> {
    Ok(said(Command::new("nginx").arg("-v"))?.replace("nginx version: ", ""))
}

fn apt(args: &[&str]) -> Command {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(args);
    apt
}

pub(super) fn recipe(setting: &Setting, folder: &Path) -> Result<Recipe> {
    let address = free_address()?;
    let file = folder.join("nginx.conf");
    let folder = text(folder)?;
    let Setting { upstream, key, .. } = setting;
    fs::write(
        &file,
        configuration(folder, &address.to_string(), &upstream.to_string(), key),
    )?;
    let mut command = Command::new("nginx");
    command.args(["-p", folder, "-c", text(&file)?]);
    Ok(Recipe {
        command,
        address,
        admin: None,
        ready_path: "/",
        path: "/v1/realtime/client_secrets",
        body: OPENAI_BODY,
    })
}

/// As root, workers would change to a user who cannot write here.
pub(crate) fn user() -> &'static str {
    let root = said(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    if root { "user root;" } else { "" }
}

fn configuration(folder: &str, address: &str, upstream: &str, key: &str) -> String {
    let user = user();
    format!(
        r#"{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    upstream openai {{
        server {upstream};
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address} backlog=4096;
        location = /v1/realtime/client_secrets {{
            proxy_pass http://openai;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer {key}";
        }}
    }}
}}
"#
    )
}
