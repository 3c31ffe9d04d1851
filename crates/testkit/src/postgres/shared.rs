//! The server all test processes of a user share.
//!
//! Each process holds a shared lock while it lives. A small watcher beside the
//! server waits until nobody holds it any more, and then stops the server and
//! removes its files, so that none outlives its tests for long.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::programs::{FAST, free_port, initdb, is_ready, is_root, program, unprivileged};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// What this process uses, and the lock that says so.
struct Shared {
    port: u16,
    _in_use: File,
}

/// The port of the shared server, which runs when this returns.
pub(super) fn port() -> u16 {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(join).port
}

fn join() -> Shared {
    let folder = folder();
    std::fs::create_dir_all(&folder).expect("a folder for PostgreSQL");
    let in_use = File::create(folder.join("in-use")).expect("a lock");
    in_use.lock_shared().expect("the lock");
    let starting = File::create(folder.join("starting")).expect("a lock");
    starting.lock().expect("the lock");
    let port = running(&folder).unwrap_or_else(|| start(&folder));
    drop(starting);
    Shared {
        port,
        _in_use: in_use,
    }
}

/// One for each user, so that none needs another's rights.
fn folder() -> PathBuf {
    let id = Command::new("id").arg("-u").output().expect("id");
    let user = String::from_utf8_lossy(&id.stdout).trim().to_owned();
    std::env::temp_dir().join(format!("hallpass-tests-postgres-{user}"))
}

fn running(folder: &Path) -> Option<u16> {
    let port = std::fs::read_to_string(folder.join("port")).ok()?;
    let port = port.trim().parse().ok()?;
    is_ready(port).then_some(port)
}

fn start(folder: &Path) -> u16 {
    let data = folder.join("data");
    // A crash of the whole machine leaves one behind.
    let left = folder.join(format!("gone.{}", super::fresh_name()));
    let _ = std::fs::rename(&data, left);
    initdb(&data);
    let port = free_port();
    let mut postgres = unprivileged("postgres");
    postgres
        .arg("-D")
        .arg(&data)
        .args(["-p", &port.to_string()]);
    for setting in FAST {
        postgres.args(["-c", setting]);
    }
    let log = File::create(folder.join("log")).expect("a log");
    let child = apart(&postgres)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    drop(child.expect("PostgreSQL starts"));
    let until = Instant::now() + PATIENCE;
    while !is_ready(port) {
        let said = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert!(Instant::now() < until, "PostgreSQL does not start: {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::write(folder.join("port"), port.to_string()).expect("the port is noted");
    watch(folder);
    port
}

/// Stops the server once no test process holds the lock.
fn watch(folder: &Path) {
    // What is removed goes out of the way first: it may take long, and the next
    // test waits for the lock.
    const SCRIPT: &str = "while sleep 3; do \
         flock -n -x \"$1/in-use\" sh -c '\"$2\" stop -m immediate -w -D \"$1/data\" >/dev/null 2>&1; \
         rm -f \"$1/port\"; mv \"$1/data\" \"$1/gone.$$\"' sh \"$1\" \"$2\" \
         && { rm -rf \"$1\"/gone.*; exit; }; done";
    let mut watcher = Command::new("sh");
    watcher
        .args(["-c", SCRIPT, "sh"])
        .arg(folder)
        .arg(stopper(folder));
    let watcher = apart(&watcher)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    drop(watcher.expect("the watcher starts"));
}

/// What stops a server: `pg_ctl`, as a user it runs as.
fn stopper(folder: &Path) -> PathBuf {
    if !is_root() {
        return program("pg_ctl");
    }
    let script = folder.join("pg_ctl");
    let text = format!(
        "#!/bin/sh\nexec setpriv --reuid=postgres --regid=postgres --clear-groups -- {} \"$@\"\n",
        program("pg_ctl").display()
    );
    std::fs::write(&script, text).expect("written");
    let made = Command::new("chmod").arg("+x").arg(&script).status();
    assert!(made.expect("chmod").success());
    script
}

/// The same command in a session of its own: a test runner that ends a test's
/// processes leaves it alone.
fn apart(command: &Command) -> Command {
    let mut apart = Command::new("setsid");
    apart.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        apart.current_dir(folder);
    }
    apart
}
