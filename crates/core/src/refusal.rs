//! A request that was not granted: what the caller is told, and what the
//! operator needs.

use std::{borrow::Cow, time::Duration};

use crate::{code::Code, quota::LimitState};

/// Why a request was refused or failed.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// What happened and what to do, for the caller. Never holds a secret, a
    /// path or any part of an upstream's body.
    pub detail: Cow<'static, str>,
    /// The request's member at fault, dotted: `expires_after.seconds`.
    pub member: Option<String>,
    /// What the operator needs; goes to the log and the trail only.
    pub internal: Option<String>,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
    /// The state of the limit that refused.
    pub limit: Option<Box<LimitState>>,
}

impl Refusal {
    /// A refusal with a sentence for the caller.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            member: None,
            internal: None,
            retry_after: None,
            limit: None,
        }
    }

    /// Names the request's member at fault.
    #[must_use]
    pub fn member(mut self, member: impl Into<String>) -> Self {
        self.member = Some(member.into());
        self
    }

    /// Adds what only the operator may see.
    #[must_use]
    pub fn internal(mut self, internal: impl Into<String>) -> Self {
        self.internal = Some(internal.into());
        self
    }

    /// Says how long to wait.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}
