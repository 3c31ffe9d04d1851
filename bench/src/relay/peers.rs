//! The relays, each in its own process on its own core.
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::{
    peers::{nginx, said},
    process::{Server, Usage},
    users::{AUDIENCE, ISSUER, OPERATOR, ROLE},
};

/// A certificate made for one run.
pub(super) struct Certificate {
    chain_file: PathBuf,
    key_file: PathBuf,
    /// For clients: it alone.
    pub(super) roots: tokio_rustls::rustls::RootCertStore,
}

impl Certificate {
    /// Makes one for `localhost`.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let files = (folder.join("chain.pem"), folder.join("key.pem"));
        fs::write(&files.0, made.cert.pem())?;
        fs::write(&files.1, made.signing_key.serialize_pem())?;
        let mut roots = tokio_rustls::rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        Ok(Self {
            chain_file: files.0,
            key_file: files.1,
            roots,
        })
    }
}

/// A relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
pub(super) enum Peer {
    /// None: clients speak to the upstream itself.
    Direct,
    /// Guard and meter on.
    Hallpass,
    /// `proxy_pass`.
    Nginx,
    /// Node and `ws`, parsing each event.
    Ws,
}

impl Peer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Hallpass => "Hallpass",
            Self::Nginx => "nginx",
            Self::Ws => "Node ws",
        }
    }

    pub(super) const fn job(self) -> &'static str {
        match self {
            Self::Direct => "no relay between",
            Self::Hallpass => "pass, guard, meter, audit",
            Self::Nginx => "passes bytes on, access log",
            Self::Ws => "parses each event, looks at its type",
        }
    }
}

/// What every relay is started with.
pub(super) struct Setting {
    pub(super) upstream: SocketAddr,
    pub(super) key: String,
    pub(super) jwt_secret: String,
    pub(super) tokens: Vec<String>,
    pub(super) core: Option<usize>,
    pub(super) hallpass: PathBuf,
    pub(super) folder: PathBuf,
    /// What clients of a server with TLS trust, and its files.
    pub(super) certificate: Certificate,
}

/// A relay that is ready.
pub(super) struct Running {
    pub(super) peer: Peer,
    pub(super) address: SocketAddr,
    /// Where Hallpass is operated.
    pub(super) admin: Option<SocketAddr>,
    server: Option<Server>,
}

impl Running {
    /// What it used since it began.
    pub(super) fn usage(&self) -> Result<Usage> {
        self.server
            .as_ref()
            .map_or_else(|| Ok(Usage::default()), Server::usage)
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        self.server.as_mut().map_or(Ok(()), Server::stop)
    }
}

/// Installs what a relay needs and names its version.
pub(super) fn prepare(peer: Peer, setting: &Setting) -> Result<String> {
    match peer {
        Peer::Direct => Ok("-".to_owned()),
        Peer::Hallpass => said(Command::new(&setting.hallpass).arg("--version")),
        Peer::Nginx => nginx::prepare(),
        Peer::Ws => ws_version(),
    }
}

fn ws_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/ws")
}

fn ws_version() -> Result<String> {
    let node = said(Command::new("node").arg("--version"))
        .context("Node 20 or later is missing: install it, or leave ws out with --only")?;
    let folder = ws_folder();
    let manifest = folder.join("node_modules/ws/package.json");
    if !manifest.is_file() {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        said(npm.current_dir(&folder))?;
    }
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest)?)?;
    let version = manifest["version"]
        .as_str()
        .context("ws names no version")?;
    Ok(format!("ws {version} on Node {node}"))
}

/// Starts a relay and waits until it listens.
pub(super) async fn start(peer: Peer, setting: &Setting, run: &Path) -> Result<Running> {
    if peer == Peer::Direct {
        return Ok(Running {
            peer,
            address: setting.upstream,
            admin: None,
            server: None,
        });
    }
    fs::create_dir_all(run)?;
    let (address, admin) = (free_address()?, free_address()?);
    let command = match peer {
        Peer::Hallpass => hallpass(setting, run, (address, admin), "")?,
        Peer::Nginx => nginx_command(setting, run, address)?,
        _ => ws(setting, address),
    };
    listening(peer, setting, run, (address, admin), &command).await
}

/// Starts Hallpass with TLS on the client's leg.
pub(super) async fn start_tls(setting: &Setting, run: &Path) -> Result<Running> {
    fs::create_dir_all(run)?;
    let addresses = (free_address()?, free_address()?);
    let files = &setting.certificate;
    let tls = format!(
        "[server.tls]\ncert_file = \"{}\"\nkey_file = \"{}\"\n",
        text(&files.chain_file)?,
        text(&files.key_file)?
    );
    let command = hallpass(setting, run, addresses, &tls)?;
    listening(Peer::Hallpass, setting, run, addresses, &command).await
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

async fn listening(
    peer: Peer,
    setting: &Setting,
    run: &Path,
    (address, admin): (SocketAddr, SocketAddr),
    command: &Command,
) -> Result<Running> {
    let log = run.join("output.log");
    let mut server = Server::start(command, setting.core, &log)?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        server
            .check_alive()
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            return Ok(Running {
                peer,
                address,
                admin: (peer == Peer::Hallpass).then_some(admin),
                server: Some(server),
            });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("{} does not start", peer.name())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no UTF-8")
}

fn ws(setting: &Setting, address: SocketAddr) -> Command {
    let mut command = Command::new("node");
    command
        .arg(ws_folder().join("relay.mjs"))
        .env("NODE_ENV", "production")
        .env("PORT", address.port().to_string())
        .env(
            "UPSTREAM",
            format!("ws://{}/v1/realtime?model=plain", setting.upstream),
        )
        .env("OPENAI_API_KEY", &setting.key);
    command
}

fn nginx_command(setting: &Setting, run: &Path, address: SocketAddr) -> Result<Command> {
    let (file, folder) = (run.join("nginx.conf"), text(run)?);
    let user = nginx::user();
    let Setting { upstream, key, .. } = setting;
    fs::write(
        &file,
        format!(
            r#"{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 40000;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 20000; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address} backlog=4096;
        location = /v1/realtime {{
            proxy_pass http://{upstream};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Authorization "Bearer {key}";
            proxy_read_timeout 3600s;
            proxy_send_timeout 3600s;
        }}
    }}
}}
"#
        ),
    )?;
    let mut command = Command::new("nginx");
    command.args(["-p", folder, "-c", text(&file)?]);
    Ok(command)
}

fn hallpass(
    setting: &Setting,
    run: &Path,
    (address, admin): (SocketAddr, SocketAddr),
    more: &str,
) -> Result<Command> {
    ensure!(
        setting.hallpass.is_file(),
        "{} is missing",
        setting.hallpass.display()
    );
    let (file, data) = (run.join("hallpass.toml"), run.join("data"));
    fs::create_dir_all(&data)?;
    let data = text(&data)?;
    let Setting {
        upstream,
        key,
        jwt_secret,
        ..
    } = setting;
    fs::write(
        &file,
        format!(
            r#"[server]
listen = "{address}"
admin_listen = "{admin}"
data_dir = "{data}"
max_connections = 20000
# One address may hold a thousand connections, unless it is a proxy.
trusted_proxies = ["127.0.0.1/32"]
drain_delay_seconds = 0
drain_seconds = 2

{more}
[limits]
per_address_per_minute = 1000000000

[[upstream]]
name = "openai"
base_url = "http://{upstream}/v1"
api_key = "{key}"

[[auth.jwt]]
name = "bench"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
algorithms = ["HS256"]
secret = "{jwt_secret}"
claims = {{ roles = "roles" }}

[profiles.interview]
mode = "relay"
modes = ["relay"]
expires_after_seconds = 60
session = {{ type = "realtime", model = "gpt-realtime-2.1", instructions = "You are a friendly interviewer.", audio = {{ output = {{ voice = "marin" }} }} }}

[roles.{ROLE}]
profiles = ["interview"]
permissions = ["grants:create"]
limits = {{ concurrent_sessions = 100000 }}
budget = {{ usd_per_day = 1000000.0 }}

[roles.{OPERATOR}]
profiles = ["*"]
permissions = ["*"]
"#
        ),
    )?;
    let mut command = Command::new(&setting.hallpass);
    command.arg("serve").arg("--config").arg(&file);
    Ok(command)
}
