//! The server all tests of one process share, each with a database of its own.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::free_port;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);
/// Databases it has; a process has fewer tests.
const DATABASES: u32 = 10_000;

/// The address of an empty database on the server of this process.
///
/// # Panics
///
/// When there is no Redis, or it does not start.
#[must_use]
pub fn database() -> String {
    static PORT: OnceLock<u16> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let port = PORT.get_or_init(start);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(number < DATABASES, "no database is left");
    format!("redis://127.0.0.1:{port}/{number}")
}

fn start() -> u16 {
    // Whoever looked for a free port may lose it to another test.
    for _ in 0..5 {
        let port = free_port();
        run(port);
        if answers(port) {
            return port;
        }
    }
    panic!("redis-server does not start; `cargo xtask test` installs it");
}

/// Starts it so that it ends with this process: the kernel ends it with the
/// thread that started it, and this one never ends.
fn run(port: u16) {
    let started = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "redis-server"])
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(["--databases", &DATABASES.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("setpriv, of util-linux");
        let _ = started.0.send(());
        let _ = child.wait();
        loop {
            std::thread::park();
        }
    });
    started.1.recv().expect("it was started");
}

fn answers(port: u16) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if ping(port).is_ok_and(|answer| answer.starts_with(b"+PONG")) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

fn ping(port: u16) -> std::io::Result<[u8; 5]> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE / 4))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
