//! `[store]`: where state lives.

use std::{fmt, path::PathBuf};

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// The durable store and the store replicas share.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Keys, grants and revocations: `sqlite` or a `postgres://` address.
    #[schemars(with = "String", extend("format" = "durable-store"))]
    pub durable: StoreAddress,
    /// File with the durable store's address, which holds a password; white
    /// space around it is dropped.
    pub durable_file: Option<PathBuf>,
    /// How a PostgreSQL database is used.
    pub postgres: Postgres,
    /// Quotas, leases and nonces: `memory` or a `redis://` address.
    #[schemars(with = "String", extend("format" = "shared-store"))]
    pub shared: StoreAddress,
    /// A file with the address of `shared`, for one that holds a password.
    pub shared_file: Option<PathBuf>,
    /// How many replicas run. While Redis is away each goes by its share of every
    /// limit; wrong keys and tokens are always counted by share.
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: u32,
    /// How long Redis may take to answer one command, in milliseconds.
    #[schemars(range(min = 1, max = 10_000))]
    pub shared_timeout_ms: u64,
    /// How old a replica's knowledge of revocations may be, in seconds, before it
    /// lets nobody through.
    #[schemars(range(min = 1, max = 300))]
    pub revocations_stale_seconds: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            durable: StoreAddress::new("sqlite"),
            durable_file: None,
            postgres: Postgres::default(),
            shared: StoreAddress::new("memory"),
            shared_file: None,
            replicas: 1,
            shared_timeout_ms: 100,
            revocations_stale_seconds: 10,
        }
    }
}

/// What a PostgreSQL database may cost, and how long it is waited for.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Postgres {
    /// Connections of one replica at most.
    #[schemars(range(min = 1, max = 1000))]
    pub max_connections: u32,
    /// Milliseconds a request waits for a connection, and for a database that
    /// restarts, before it is answered 503.
    #[schemars(range(min = 100, max = 60_000))]
    pub patience_ms: u64,
    /// Milliseconds one statement may run.
    #[schemars(range(min = 100, max = 600_000))]
    pub statement_timeout_ms: u64,
    /// Milliseconds one statement may wait for another's lock.
    #[schemars(range(min = 50, max = 600_000))]
    pub lock_timeout_ms: u64,
    /// Days the copy of the audit trail is searchable there.
    #[schemars(range(min = 1, max = 36_500))]
    pub trail_days: u32,
}

impl Default for Postgres {
    fn default() -> Self {
        Self {
            max_connections: 16,
            patience_ms: 3000,
            statement_timeout_ms: 5000,
            lock_timeout_ms: 2000,
            trail_days: 90,
        }
    }
}

/// A store's name or address, which may hold a password.
///
/// `Debug` and `Serialize` keep the password hidden.
#[derive(Clone, Deserialize)]
pub struct StoreAddress(SecretString);

impl StoreAddress {
    /// Wraps a name (`sqlite`, `memory`) or an address.
    pub fn new(address: &str) -> Self {
        Self(SecretString::from(address))
    }

    /// Whether the store is one inside this process.
    pub fn is_embedded(&self) -> bool {
        matches!(self.expose(), "sqlite" | "memory")
    }

    /// Whether it is a PostgreSQL address.
    pub fn is_postgres(&self) -> bool {
        let address = self.expose();
        ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| address.starts_with(scheme))
    }

    /// The full address, password included: for connecting only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn hidden(&self) -> String {
        if self.is_embedded() {
            return self.expose().to_owned();
        }
        let scheme = self.expose().split("://").next().unwrap_or_default();
        format!("{scheme}://********")
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hidden())
    }
}

impl Serialize for StoreAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.hidden())
    }
}
