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
    /// Milliseconds one mint may take in all.
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u64,
    /// Certificates (PEM) to trust instead of the public ones.
    pub ca_file: Option<PathBuf>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            name: "openai".to_owned(),
            base_url: openai(),
            api_key: None,
            api_key_file: None,
            organization: None,
            project: None,
            timeout_ms: 5000,
            ca_file: None,
        }
    }
}

#[allow(clippy::expect_used, reason = "a constant address, parsed by a test")]
fn openai() -> Url {
    Url::parse("https://api.openai.com/v1").expect("a valid constant")
}
