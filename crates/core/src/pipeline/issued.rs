//! What leaves the pipeline.

use std::sync::Arc;

use serde_json::{Map, Value, value::RawValue};

use crate::{
    grant::Grant,
    profile::{Profile, SessionConfig},
    quota::LimitState,
    secret::ClientSecret,
};

/// A secret whose records are durable: it may leave.
#[derive(Debug)]
pub struct Issued {
    pub(super) grant: Arc<Grant>,
    pub(super) secret: ClientSecret,
    pub(super) upstream_session: Box<RawValue>,
    pub(super) connect_url: String,
    pub(super) session: SessionConfig,
    pub(super) profile: Arc<Profile>,
    pub(super) limits: Vec<LimitState>,
}

impl Issued {
    /// The grant as it stands in registry and trail.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The secret, for the answer.
    #[must_use]
    pub const fn secret(&self) -> &ClientSecret {
        &self.secret
    }

    /// The session that was asked for.
    #[must_use]
    pub const fn session(&self) -> &SessionConfig {
        &self.session
    }

    /// Where the browser connects with the secret.
    #[must_use]
    pub fn connect_url(&self) -> &str {
        &self.connect_url
    }

    /// Where the caller's limits stand.
    #[must_use]
    pub fn limits(&self) -> &[LimitState] {
        &self.limits
    }

    /// OpenAI's session, less what a browser may not see.
    #[must_use]
    pub fn visible_session(&self) -> Map<String, Value> {
        self.profile.visible(&self.upstream_session)
    }
}
