//! PostgreSQL's own programs, and the user they run as.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::USER;

/// Where a program is: Debian keeps each version's in a folder of its own, the
/// newest is taken.
pub(super) fn program(name: &str) -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut versions: Vec<(u32, PathBuf)> = folders
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin").join(name)))
        })
        .filter(|(_, program)| program.is_file())
        .collect();
    versions.sort();
    versions
        .pop()
        .map_or_else(|| PathBuf::from(name), |(_, program)| program)
}

/// Whether this process is root, as whom PostgreSQL does not run.
pub(super) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n")
}

/// A program of PostgreSQL's, as a user it runs as.
pub(super) fn unprivileged(name: &str) -> Command {
    if !is_root() {
        return Command::new(program(name));
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--",
        ])
        .arg(program(name))
        .current_dir("/");
    command
}

/// Makes a folder or file that user's.
pub(super) fn give_away(path: &Path) {
    if is_root() {
        let given = Command::new("chown")
            .arg("-R")
            .arg("postgres:postgres")
            .arg(path)
            .status();
        assert!(
            given.expect("chown").success(),
            "{} can't be given away",
            path.display()
        );
    }
}

/// Makes the files of a server that has none.
pub(super) fn initdb(data: &Path) {
    std::fs::create_dir_all(data).expect("a folder for PostgreSQL");
    give_away(data);
    let made = unprivileged("initdb")
        .args([
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "-U",
            USER,
            "-D",
        ])
        .arg(data)
        .output()
        .expect("PostgreSQL is installed: apt-get install postgresql");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "initdb: {said}");
}

/// What a server of tests is told: no wait for a disk, and many connections.
pub(super) const FAST: [&str; 7] = [
    "fsync=off",
    "full_page_writes=off",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=400",
    "shared_buffers=64MB",
    "max_wal_size=512MB",
];

/// A port nobody listens at.
pub(super) fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address").port()
}

/// Whether a server at a port takes connections.
pub(super) fn is_ready(port: u16) -> bool {
    let asked = Command::new(program("pg_isready"))
        .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
        .stdin(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Runs statements and gives what they print.
pub(super) fn psql(port: u16, database: &str, sql: &str) -> String {
    let done = Command::new(program("psql"))
        .args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            "127.0.0.1",
        ])
        .args([
            "-p",
            &port.to_string(),
            "-U",
            USER,
            "-d",
            database,
            "-c",
            sql,
        ])
        .stdin(Stdio::null())
        .output()
        .expect("psql");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{sql}: {said}");
    String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
}
