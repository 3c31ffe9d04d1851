//! A server of one test's own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    USER,
    programs::{FAST, free_port, give_away, initdb, is_ready, psql, unprivileged},
};

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server's certificate and key, in PEM.
#[derive(Debug, Clone, Copy)]
pub struct Tls<'a> {
    /// The certificate.
    pub certificate: &'a str,
    /// Its key.
    pub key: &'a str,
}

/// A PostgreSQL process; it ends with this, and its files with it.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    port: u16,
    settings: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// Starts one on a free port.
    ///
    /// # Panics
    ///
    /// When there is no PostgreSQL, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts one that also speaks TLS.
    ///
    /// # Panics
    ///
    /// When there is no PostgreSQL, or it does not start.
    #[must_use]
    pub fn start_tls(tls: Tls<'_>) -> Self {
        Self::start_with(Some(tls))
    }

    fn start_with(tls: Option<Tls<'_>>) -> Self {
        let folder =
            std::env::temp_dir().join(format!("hallpass-postgres-{}", super::fresh_name()));
        let data = folder.join("data");
        initdb(&data);
        let mut settings: Vec<String> = FAST.map(str::to_owned).to_vec();
        if let Some(tls) = tls {
            settings.extend(tls_files(&data, tls));
        }
        let mut server = Self {
            folder,
            port: free_port(),
            settings,
            child: None,
        };
        server.resume();
        server
    }

    /// The address of a database of this name, which is made where it is missing.
    ///
    /// # Panics
    ///
    /// When the server does not run.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        let there = format!("SELECT FROM pg_database WHERE datname = '{name}'");
        let there = psql(self.port, "postgres", &format!("SELECT EXISTS ({there})"));
        if there == "f" {
            let _ = psql(self.port, "postgres", &format!("CREATE DATABASE {name}"));
        }
        format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements in a database; gives what they print.
    ///
    /// # Panics
    ///
    /// When one is refused.
    #[must_use]
    pub fn run(&self, database: &str, sql: &str) -> String {
        psql(self.port, database, sql)
    }

    /// Starts it again, on its port and with what it had.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn resume(&mut self) {
        let mut postgres = unprivileged("postgres");
        postgres.arg("-D").arg(self.folder.join("data"));
        postgres.args(["-p", &self.port.to_string()]);
        for setting in &self.settings {
            postgres.args(["-c", setting]);
        }
        let log = std::fs::File::create(self.folder.join("log")).expect("a log");
        let child = postgres
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("PostgreSQL starts");
        self.child = Some(child);
        let until = Instant::now() + PATIENCE;
        while !is_ready(self.port) {
            assert!(
                Instant::now() < until,
                "PostgreSQL does not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it as an operator does: connections are cut.
    ///
    /// # Panics
    ///
    /// When it does not stop.
    pub fn stop(&mut self) {
        self.end("-INT");
    }

    /// Stops it as a crash does.
    ///
    /// # Panics
    ///
    /// When it does not stop.
    pub fn crash(&mut self) {
        self.end("-QUIT");
    }

    fn end(&mut self, signal: &str) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let told = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(told.expect("kill").success());
        let until = Instant::now() + PATIENCE;
        while child.try_wait().expect("its status").is_none() {
            if Instant::now() > until {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Writes what TLS needs where the server reads it, and the settings for it.
fn tls_files(data: &Path, tls: Tls<'_>) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt;
    let write = |name: &str, text: &str| {
        let path = data.join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        give_away(&path);
    };
    write("server.crt", tls.certificate);
    write("server.key", tls.key);
    [
        "ssl=on",
        "ssl_cert_file=server.crt",
        "ssl_key_file=server.key",
    ]
    .map(str::to_owned)
    .to_vec()
}
