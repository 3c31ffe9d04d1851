//! `[store]`: where state lives.

use std::fmt;

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
    /// Quotas, leases and nonces: `memory` or a `redis://` address.
    #[schemars(with = "String", extend("format" = "shared-store"))]
    pub shared: StoreAddress,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            durable: StoreAddress::new("sqlite"),
            shared: StoreAddress::new("memory"),
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
