//! The servers that are measured, each started the same way.
mod express;
mod forwarder;
mod hallpass;
pub(crate) mod nginx;

use std::{
    fs,
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde::Serialize;

use crate::{load::Target, process::Server, wire::Connection};

const READY_WITHIN: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(20);

const SHOWN_LINES: usize = 5;

/// What a caller sends where the server passes the body on as it is.
const OPENAI_BODY: &str = r#"{"expires_after":{"anchor":"created_at","seconds":60},"session":{"type":"realtime","model":"gpt-realtime-2.1","instructions":"You are a friendly interviewer.","audio":{"output":{"voice":"marin"}}}}"#;

/// A server that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Peer {
    /// Hallpass itself
    Hallpass,
    /// Hallpass as `cargo xtask dist` builds it
    Pgo,
    /// The bare axum + hyper forwarder
    Forwarder,
    /// nginx adding the key
    Nginx,
    /// An Express server of the same purpose
    Express,
}

impl Peer {
    /// The name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hallpass => "Hallpass",
            Self::Pgo => "Hallpass, PGO",
            Self::Forwarder => "axum + hyper",
            Self::Nginx => "nginx",
            Self::Express => "Express",
        }
    }

    /// What it does with a mint.
    pub(crate) fn job(self) -> &'static str {
        match self {
            Self::Pgo => "the same, as `cargo xtask dist` builds it",
            Self::Hallpass => {
                "JWT, role, limits, registry, two durable audit records, checks the reply"
            }
            Self::Forwarder => "adds the key",
            Self::Nginx => "adds the key, access log",
            Self::Express => "JWT, rate limit, audit line not synced, official SDK",
        }
    }
}

/// What every peer is started with.
pub(crate) struct Setting {
    /// Folder of this run, on a disk.
    pub(crate) folder: PathBuf,
    pub(crate) upstream: SocketAddr,
    /// The key the upstream accepts.
    pub(crate) key: String,
    /// Signs the users' tokens.
    pub(crate) jwt_secret: String,
    /// The users' tokens.
    pub(crate) tokens: Vec<String>,
    /// The server's core.
    pub(crate) core: Option<usize>,
    /// The Hallpass binary.
    pub(crate) hallpass: PathBuf,
    /// The one that was built by what a run showed.
    pub(crate) pgo: Option<PathBuf>,
    /// Further settings of Hallpass's upstream.
    pub(crate) upstream_settings: String,
}

/// A server that is ready.
pub(crate) struct Running {
    pub(crate) peer: Peer,
    pub(crate) server: Server,
    pub(crate) target: Arc<Target>,
    /// Where operators ask, if it has such a place.
    pub(crate) admin: Option<SocketAddr>,
    /// What is its own in the run's folder.
    pub(crate) folder: PathBuf,
}

/// How to start a peer, and how to speak to it.
struct Recipe {
    command: Command,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    /// Answers anything once it serves; Hallpass answers 200.
    ready_path: &'static str,
    path: &'static str,
    body: &'static str,
}

/// Installs what a peer needs and names its version.
pub(crate) fn prepare(peer: Peer, setting: &Setting) -> Result<String> {
    match peer {
        Peer::Hallpass => hallpass::prepare(&setting.hallpass),
        Peer::Pgo => hallpass::prepare(pgo(setting)?),
        Peer::Forwarder => Ok(forwarder::VERSION.to_owned()),
        Peer::Nginx => nginx::prepare(),
        Peer::Express => express::prepare(),
    }
}

fn pgo(setting: &Setting) -> Result<&Path> {
    let pgo = setting.pgo.as_deref();
    pgo.context("name what `cargo xtask dist` built with --pgo")
}

/// Starts a peer and waits until it is ready.
pub(crate) async fn start(peer: Peer, setting: &Setting) -> Result<Running> {
    let folder = setting
        .folder
        .join(peer.name().replace([' ', ',', '+'], ""));
    // Of an earlier round it would have work left that is not this one's.
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(&folder)?,
    }
    let recipe = match peer {
        Peer::Hallpass => hallpass::recipe(&setting.hallpass, setting, &folder),
        Peer::Pgo => hallpass::recipe(pgo(setting)?, setting, &folder),
        Peer::Forwarder => forwarder::recipe(setting),
        Peer::Nginx => nginx::recipe(setting, &folder),
        Peer::Express => express::recipe(setting, &folder),
    }?;
    let log = folder.join("output.log");
    let mut server = Server::start(&recipe.command, setting.core, &log)?;
    let ready = recipe.ready(&mut server).await;
    ready.with_context(|| format!("{} does not start: {}", peer.name(), last_lines(&log)))?;
    Ok(Running {
        peer,
        server,
        target: Arc::new(recipe.target(&setting.tokens)),
        admin: recipe.admin,
        folder,
    })
}

impl Recipe {
    fn target(&self, tokens: &[String]) -> Target {
        Target {
            address: self.address,
            requests: tokens.iter().map(|token| self.request(token)).collect(),
        }
    }

    fn request(&self, token: &str) -> Vec<u8> {
        request(self.path, self.address, token, self.body)
    }

    async fn ready(&self, server: &mut Server) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < READY_WITHIN {
            server.check_alive()?;
            match self.probe().await {
                Ok(status) if self.is_ready(status) => return Ok(()),
                _ => tokio::time::sleep(READY_POLL).await,
            }
        }
        bail!("not ready after {} s", READY_WITHIN.as_secs())
    }

    fn is_ready(&self, status: u16) -> bool {
        self.ready_path == "/" || status == 200
    }

    async fn probe(&self) -> Result<u16> {
        let Self {
            address,
            ready_path,
            ..
        } = self;
        let request = format!("GET {ready_path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        let mut connection = Connection::open(*address).await?;
        let answer = connection.exchange(request.as_bytes()).await?;
        Ok(answer.status)
    }
}

/// A mint as a caller sends it.
pub(crate) fn request(path: &str, address: SocketAddr, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The end of a log, for an error message.
fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

/// An address nobody listened on a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The output of a short command, both streams, trimmed.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    ensure!(output.status.success(), "{program} failed: {said}");
    Ok(said)
}

/// A path as text, for a configuration file.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is no UTF-8", path.display()))
}
