//! PostgreSQL and Redis as they come, each a process of this run.
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    peers::{free_address, said},
    process::Server,
};

/// How long either may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// Who the databases belong to.
const USER: &str = "hallpass";

/// What replicas share.
pub(super) struct Stores {
    pub(super) postgres: Server,
    pub(super) redis: Server,
    postgres_at: SocketAddr,
    redis_at: SocketAddr,
    pub(super) versions: String,
    /// PostgreSQL's files, which are another user's where this runs as root.
    data: PathBuf,
}

impl Stores {
    /// Starts both on one core: PostgreSQL with its defaults, so that a commit
    /// waits for the disk; Redis keeping nothing.
    pub(super) fn start(folder: &Path, core: Option<usize>) -> Result<Self> {
        let (postgres_at, redis_at) = (free_address()?, free_address()?);
        let name = format!("hallpass-bench-postgres-{}", std::process::id());
        let data = std::env::temp_dir().join(name);
        fs::create_dir_all(&data)?;
        give_away(&data)?;
        let mut initdb = unprivileged("initdb")?;
        initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "-U", USER]);
        said(initdb.arg("-D").arg(&data))?;
        let mut postgres = unprivileged("postgres")?;
        postgres.arg("-D").arg(&data);
        postgres.args(["-p", &postgres_at.port().to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
        ] {
            postgres.args(["-c", setting]);
        }
        let mut redis = Command::new("redis-server");
        redis.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        redis.args(["--port", &redis_at.port().to_string(), "--dir"]);
        redis.arg(folder);
        let stores = Self {
            postgres: Server::start(&postgres, core, &folder.join("postgres.log"))?,
            redis: Server::start(&redis, core, &folder.join("redis.log"))?,
            postgres_at,
            redis_at,
            versions: versions()?,
            data,
        };
        stores.until_ready()?;
        Ok(stores)
    }

    fn until_ready(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let both = self.psql("postgres", "SELECT 1").is_ok()
                && std::net::TcpStream::connect(self.redis_at).is_ok();
            if both {
                return Ok(());
            }
            let waited = begun.elapsed();
            ensure!(waited < PATIENCE, "PostgreSQL or Redis does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A database that is made for it, by its address.
    pub(super) fn database(&self, name: &str) -> Result<String> {
        self.psql("postgres", &format!("CREATE DATABASE {name}"))?;
        let at = self.postgres_at;
        Ok(format!("postgres://{USER}@{at}/{name}?sslmode=disable"))
    }

    /// Redis's address, with nothing in it.
    pub(super) fn empty_redis(&self) -> Result<String> {
        let port = self.redis_at.port().to_string();
        said(Command::new("redis-cli").args(["-p", &port, "FLUSHALL"]))?;
        Ok(format!("redis://{}", self.redis_at))
    }

    fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let port = self.postgres_at.port().to_string();
        let mut psql = Command::new(program("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]);
        said(psql.args(["-p", &port, "-U", USER, "-d", database, "-c", sql]))
    }

    /// Ends both.
    pub(super) fn stop(&mut self) -> Result<()> {
        self.redis.stop()?;
        self.postgres.stop()
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        let _ = self.stop();
        let _ = fs::remove_dir_all(&self.data);
    }
}

fn versions() -> Result<String> {
    let postgres = said(Command::new(program("postgres")).arg("--version"))?;
    let postgres = postgres.split_whitespace().nth(2).unwrap_or("?").to_owned();
    let redis = said(Command::new("redis-server").arg("--version"))?;
    let redis = redis.split("v=").nth(1).unwrap_or("?");
    let redis = redis.split_whitespace().next().unwrap_or("?");
    Ok(format!("PostgreSQL {postgres}, Redis {redis}"))
}

/// Where a program of PostgreSQL's is: Debian keeps each version's in a folder
/// of its own, the newest is taken.
fn program(name: &str) -> PathBuf {
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<(u32, PathBuf)> = folders
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin").join(name)))
        })
        .filter(|(_, program)| program.is_file())
        .collect();
    found.sort();
    found
        .pop()
        .map_or_else(|| PathBuf::from(name), |(_, program)| program)
}

/// A program of PostgreSQL's as a user it runs as, which root is not.
fn unprivileged(name: &str) -> Result<Command> {
    if !is_root()? {
        return Ok(Command::new(program(name)));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg("--").arg(program(name)).current_dir("/");
    Ok(command)
}

fn give_away(path: &Path) -> Result<()> {
    if is_root()? {
        let mut chown = Command::new("chown");
        said(chown.arg("postgres:postgres").arg(path)).context("is PostgreSQL installed?")?;
    }
    Ok(())
}

fn is_root() -> Result<bool> {
    Ok(said(Command::new("id").arg("-u"))? == "0")
}
