//! What the operator says about an upstream.

use std::{fmt, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Whose API an upstream speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UpstreamKind {
    /// OpenAI's, or that of a compatible host: the key as a bearer token.
    #[default]
    OpenAi,
    /// Azure OpenAI's `/openai/v1`: the key in `api-key`.
    Azure,
}

/// How an upstream is reached and who we are there.
#[derive(Clone)]
pub struct UpstreamSettings {
    /// Its name in the configuration, for the trail and the log.
    pub name: Arc<str>,
    /// Whose API it speaks.
    pub kind: UpstreamKind,
    /// Where its API begins: `https://api.openai.com/v1`.
    pub base_url: Url,
    /// The standard key.
    pub api_key: SecretString,
    /// Sent as `OpenAI-Organization`.
    pub organization: Option<String>,
    /// Sent as `OpenAI-Project`.
    pub project: Option<String>,
    /// Certificates trusted besides the system's, as PEM.
    pub extra_roots_pem: Option<String>,
    /// How long name lookup, TCP and TLS together may take.
    pub connect_timeout: Duration,
    /// The largest body of an answer, in bytes.
    pub response_limit: usize,
    /// Sent as `User-Agent`.
    pub user_agent: String,
    /// Whether requests carry the `traceparent` of a sampled trace.
    pub traceparent: bool,
}

impl UpstreamSettings {
    /// The largest body of an answer unless the operator says otherwise.
    pub const RESPONSE_LIMIT: usize = 256 * 1024;

    /// How long connecting may take unless the operator says otherwise.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

    /// Settings with everything optional left out.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, base_url: Url, api_key: SecretString) -> Self {
        Self {
            name: name.into(),
            kind: UpstreamKind::OpenAi,
            base_url,
            api_key,
            organization: None,
            project: None,
            extra_roots_pem: None,
            connect_timeout: Self::CONNECT_TIMEOUT,
            response_limit: Self::RESPONSE_LIMIT,
            user_agent: concat!("hallpass/", env!("CARGO_PKG_VERSION")).to_owned(),
            traceparent: false,
        }
    }

    /// Checks the address and the key.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let url = &self.base_url;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SettingsError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SettingsError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(SettingsError::Query);
        }
        if self.api_key.expose_secret().is_empty() {
            return Err(SettingsError::NoKey);
        }
        Ok(())
    }
}

impl fmt::Debug for UpstreamSettings {
    /// Shows neither the key nor the address, which may hold credentials until
    /// it is checked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamSettings")
            .field("name", &self.name)
            .field("host", &self.base_url.host_str())
            .finish_non_exhaustive()
    }
}

/// Why an upstream can't be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The address is neither `http` nor `https`.
    #[error("base_url must begin with https:// (or http://)")]
    Scheme,
    /// The address holds a user name or a password.
    #[error("base_url must not hold a user name or password; use api_key")]
    Credentials,
    /// The address has a query or a fragment.
    #[error("base_url must end with its path: no '?' and no '#'")]
    Query,
    /// There is no key.
    #[error("api_key is empty")]
    NoKey,
    /// A setting can't be a header's value; it is named, never shown.
    #[error("{0} holds characters no HTTP header may carry (a line break?)")]
    Header(&'static str),
    /// The extra certificates are no PEM, or hold no usable certificate.
    #[error("the extra root certificates are not PEM certificates")]
    ExtraRoots,
    /// No certificate is trusted at all.
    #[error("no root certificates: install ca-certificates, or name a file of your own")]
    NoRoots,
    /// The TLS library refuses its configuration.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The address can't be used for requests.
    #[error("base_url can't be used for requests: {0}")]
    Uri(#[from] http::uri::InvalidUri),
}
