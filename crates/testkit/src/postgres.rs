//! A real PostgreSQL, started by the tests themselves.
//!
//! [`database`] gives a database of its own on one server that all test
//! processes of this user share; it stops by itself when none is left.
//! [`Server`] is a server of one test's own, to stop, kill and start again.

mod programs;
mod server;
mod shared;

use std::sync::atomic::{AtomicU64, Ordering};

use programs::psql;

pub use server::{Server, Tls};

/// The user every test server has, and may do everything.
pub(crate) const USER: &str = "hallpass";

/// A database that is dropped with this.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    port: u16,
}

impl TestDatabase {
    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        let Self { name, port } = self;
        format!("postgres://{USER}@127.0.0.1:{port}/{name}?sslmode=disable")
    }

    /// Where its server listens, for a proxy before it.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// The address of the same database at another port: through a proxy.
    #[must_use]
    pub fn url_at(&self, port: u16) -> String {
        let name = &self.name;
        format!("postgres://{USER}@127.0.0.1:{port}/{name}?sslmode=disable")
    }

    /// Runs statements, as an operator would; gives what they print.
    ///
    /// # Panics
    ///
    /// When one is refused.
    #[must_use]
    pub fn run(&self, sql: &str) -> String {
        psql(self.port, &self.name, sql)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
            let _ = psql(self.port, "postgres", &drop);
        }
    }
}

/// An empty database on the shared server.
///
/// # Panics
///
/// When there is no PostgreSQL, or it does not start.
#[must_use]
pub fn database() -> TestDatabase {
    let port = shared::port();
    let name = fresh_name();
    let _ = psql(port, "postgres", &format!("CREATE DATABASE {name}"));
    TestDatabase { name, port }
}

/// A name no other test has: one server may live through several runs.
fn fresh_name() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).expect("randomness");
    let random = u64::from_be_bytes(random);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("test_{}_{number}_{random:x}", std::process::id())
}
