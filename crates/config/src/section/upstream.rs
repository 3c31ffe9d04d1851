//! `[[upstream]]`: OpenAI, or a compatible host.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::hidden;

/// One host that mints client secrets, and the key for it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Upstream {
    /// Name in logs, metrics and the audit trail.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Whose API the host speaks.
    pub kind: UpstreamKind,
    /// Address up to and including the version, without a trailing slash.
    #[schemars(with = "String", extend("format" = "url"))]
    pub base_url: Url,
    /// The standard key. After loading it also holds what `api_key_file` held.
    #[serde(serialize_with = "hidden::secret")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub api_key: Option<SecretString>,
    /// File with the standard key; white space around it is dropped.
    pub api_key_file: Option<PathBuf>,
    /// Value of the `OpenAI-Organization` header.
    pub organization: Option<String>,
    /// Value of the `OpenAI-Project` header.
    pub project: Option<String>,
    /// Its share of the mints beside the other upstreams; 0: only where no
    /// other can be asked.
    #[schemars(range(min = 0, max = 1000))]
    pub weight: u32,
    /// Milliseconds one mint may take in all, retries included.
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u64,
    /// Milliseconds that name lookup, TCP and TLS may take together.
    #[schemars(range(min = 50, max = 60_000))]
    pub connect_timeout_ms: u64,
    /// When it is left alone, and for how long.
    pub breaker: Breaker,
    /// Certificates (PEM) to trust instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// Whether requests to it carry the `traceparent` of a sampled trace: for a
    /// host of your own, since it tells which requests belong together.
    pub traceparent: bool,
}

/// Whose API a host speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamKind {
    /// OpenAI's, or that of a compatible host.
    #[default]
    OpenAi,
    /// Azure OpenAI's, at an address that ends in `/openai/v1`.
    Azure,
}

/// When an upstream's circuit breaker opens, and for how long.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// Failures in a row that open it.
    #[schemars(range(min = 1))]
    pub consecutive_failures: u32,
    /// Failures in a hundred calls of the window that open it.
    #[schemars(range(min = 1, max = 100))]
    pub failure_percent: u32,
    /// Calls in the window before their share counts.
    #[schemars(range(min = 1))]
    pub min_calls: u32,
    /// Milliseconds the window looks back.
    #[schemars(range(min = 100, max = 600_000))]
    pub window_ms: u64,
    /// Milliseconds it stays open at first; doubled with each failed probe.
    #[schemars(range(min = 50, max = 600_000))]
    pub open_ms: u64,
    /// Milliseconds it stays open at most.
    #[schemars(range(min = 50, max = 3_600_000))]
    pub max_open_ms: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_percent: 50,
            min_calls: 20,
            window_ms: 10_000,
            open_ms: 30_000,
            max_open_ms: 300_000,
        }
    }
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            name: "openai".to_owned(),
            kind: UpstreamKind::OpenAi,
            base_url: openai(),
            api_key: None,
            api_key_file: None,
            organization: None,
            project: None,
            weight: 1,
            timeout_ms: 5000,
            connect_timeout_ms: 3000,
            breaker: Breaker::default(),
            ca_file: None,
            traceparent: false,
        }
    }
}

#[allow(clippy::expect_used, reason = "a constant address, parsed by a test")]
fn openai() -> Url {
    Url::parse("https://api.openai.com/v1").expect("a valid constant")
}
