//! The error answer of `/v1/*`: OpenAI's envelope.

use hallpass_core::{code::Code, refusal::Refusal};
use serde::Serialize;
use utoipa::ToSchema;

/// `{"error": {…}}`, as OpenAI's own clients read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Envelope<'a> {
    /// The error.
    pub error: ErrorBody<'a>,
}

/// What OpenAI's clients read of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody<'a> {
    /// What happened and what to do.
    pub message: &'a str,
    /// The family of the error.
    #[schema(example = "invalid_request_error")]
    pub r#type: &'static str,
    /// The request's member at fault.
    pub param: Option<&'a str>,
    /// The stable code of the error.
    #[schema(example = "rate_limit_exceeded")]
    pub code: &'static str,
}

impl<'a> Envelope<'a> {
    /// The envelope of a refusal.
    #[must_use]
    pub fn new(refusal: &'a Refusal) -> Self {
        Self {
            error: ErrorBody {
                message: &refusal.detail,
                r#type: family(refusal.code),
                param: refusal.member.as_deref(),
                code: code(refusal.code),
            },
        }
    }
}

const fn family(code: Code) -> &'static str {
    match code {
        Code::RateLimited => "requests",
        Code::UpstreamQuotaExhausted => "insufficient_quota",
        code if code.is_failure() => "server_error",
        _ => "invalid_request_error",
    }
}

/// OpenAI's own word where it has one, ours otherwise.
fn code(code: Code) -> &'static str {
    match code {
        code if code.is_unauthenticated() => "invalid_api_key",
        Code::RateLimited => "rate_limit_exceeded",
        Code::UnknownMember => "unknown_parameter",
        Code::UpstreamQuotaExhausted => "insufficient_quota",
        code => code.as_str(),
    }
}
