//! How the database is reached and how long it is waited for.

use std::time::Duration;

use secrecy::SecretString;

/// Where the database is and what it may cost.
#[derive(Debug, Clone)]
pub struct PgSettings {
    /// `postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=…`
    pub url: SecretString,
    /// Connections at most.
    pub max_connections: u32,
    /// How long a request waits for a connection, and for a database that is
    /// restarting, before it fails.
    pub patience: Duration,
    /// The longest a statement may run.
    pub statement_timeout: Duration,
    /// The longest a statement may wait for another's lock.
    pub lock_timeout: Duration,
}

impl PgSettings {
    /// The defaults, for a database at an address.
    #[must_use]
    pub const fn new(url: SecretString) -> Self {
        Self {
            url,
            max_connections: 16,
            patience: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(2),
        }
    }
}
