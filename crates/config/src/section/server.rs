//! `[server]`: where Hallpass listens and how it treats connections.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::network::Network;

/// Listeners, addresses seen from outside, and connection limits.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port of the public listener.
    #[schemars(extend("format" = "socket-address"))]
    pub listen: SocketAddr,
    /// Address and port of the admin API, the console and `/metrics`.
    #[schemars(extend("format" = "socket-address"))]
    pub admin_listen: SocketAddr,
    /// Address under which browsers reach the public listener.
    #[schemars(with = "Option<String>", extend("format" = "url"))]
    pub public_url: Option<Url>,
    /// Origins of pages that may call from a browser, each exact.
    #[schemars(extend("items" = serde_json::json!({ "type": "string", "format": "origin" })))]
    pub allowed_origins: Vec<String>,
    /// Proxies whose forwarded client address is believed.
    #[schemars(with = "Vec<String>", extend("items" = serde_json::json!({ "type": "string", "format": "network" })))]
    pub trusted_proxies: Vec<Network>,
    /// Folder of everything Hallpass writes.
    #[schemars(length(min = 1))]
    pub data_dir: PathBuf,
    /// Name of this replica in the trail and among the others; absent: made
    /// once and kept in `data_dir`.
    #[schemars(extend("format" = "replica-name"))]
    pub replica: Option<String>,
    /// File with the installation's key, 32 bytes, the same for all replicas;
    /// absent: `install.key` in `data_dir`, made where it is missing.
    pub install_key_file: Option<PathBuf>,
    /// Certificate and key of the public listener; absent for plain HTTP.
    pub tls: Option<Tls>,
    /// Connections open at once before new ones wait.
    #[schemars(range(min = 1))]
    pub max_connections: usize,
    /// Seconds a new connection may stay silent.
    #[schemars(range(min = 1, max = 3600))]
    pub first_byte_seconds: u64,
    /// Seconds a request head may take.
    #[schemars(range(min = 1, max = 3600))]
    pub head_seconds: u64,
    /// Seconds a request body may take, from its first byte to its last.
    #[schemars(range(min = 1, max = 3600))]
    pub body_seconds: u64,
    /// Seconds a connection may rest between requests.
    #[schemars(range(min = 1, max = 3600))]
    pub idle_seconds: u64,
    /// Seconds the server goes on serving at shutdown while `/readyz` already
    /// answers 503, so that load balancers notice.
    #[schemars(range(min = 0, max = 3600))]
    pub drain_delay_seconds: u64,
    /// Seconds open requests get to finish at shutdown.
    #[schemars(range(min = 0, max = 3600))]
    pub drain_seconds: u64,
}

/// Files of a TLS certificate chain and its private key.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain in PEM, leaf first.
    pub cert_file: PathBuf,
    /// Private key in PEM.
    pub key_file: PathBuf,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8787)),
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8788)),
            public_url: None,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            data_dir: PathBuf::from(".hallpass"),
            replica: None,
            install_key_file: None,
            tls: None,
            max_connections: 10_000,
            first_byte_seconds: 10,
            head_seconds: 10,
            body_seconds: 10,
            idle_seconds: 60,
            drain_delay_seconds: 5,
            drain_seconds: 30,
        }
    }
}
