//! Who asks, once authenticated.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    ids::{CredentialId, RoleName, SessionId, Subject},
};

/// How a caller proved who they are.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Scheme {
    /// `Authorization: Bearer hp_…`.
    ApiKey,
    /// `Authorization: Bearer <JWT>`.
    Jwt,
    /// A session cookie of the app.
    SessionCookie,
}

impl Scheme {
    /// The scheme as it is written everywhere.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A person or a service that proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The app's id of the user, or the service's name.
    pub subject: Subject,
    /// How they proved it.
    pub scheme: Scheme,
    /// Which credential they used.
    pub credential: CredentialId,
    /// The roles the credential gives; empty means the operator's default role.
    pub roles: Vec<RoleName>,
    /// The interview the credential itself is bound to.
    pub session_id: Option<SessionId>,
    /// The tenant the credential names.
    pub tenant: Option<Subject>,
    /// When the credential was issued, where it says so.
    pub issued_at: Option<Timestamp>,
    /// When the credential ends.
    pub expires_at: Option<Timestamp>,
}

/// What a request presents to prove who sends it.
#[derive(Debug, Clone, Default)]
pub struct Presented<'a> {
    /// The value of `Authorization`, as sent. Two such headers are joined by a
    /// comma, which no scheme accepts.
    pub authorization: Option<std::borrow::Cow<'a, [u8]>>,
    /// Cookies by name, in the order sent.
    pub cookies: Vec<(&'a str, &'a str)>,
    /// The API key behind a session of this server's own pages: it was proven
    /// when the session began, and is asked for again by its id. Never read
    /// from a request.
    pub proven: Option<CredentialId>,
    /// The address the request came from.
    pub address: Option<std::net::IpAddr>,
}

/// The result of asking who sends a request.
#[derive(Debug)]
pub enum Authentication {
    /// The request carries nothing that any configured scheme reads.
    NotRequested,
    /// The request carries a good credential.
    Authenticated(Arc<Caller>),
    /// The request carries a bad credential; no further scheme is asked.
    Failed(AuthFailure),
}

/// Why a credential was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthFailure {
    /// The stable code the caller is told.
    pub code: crate::code::Code,
    /// The exact stable reason, for the operator: `signature_invalid`, `kid_unknown`, ….
    pub reason: &'static str,
    /// A sentence for the operator; never any part of the credential.
    pub detail: String,
    /// The scheme that refused.
    pub scheme: Scheme,
    /// The credential's public id, where it could be read.
    pub credential: Option<CredentialId>,
}
