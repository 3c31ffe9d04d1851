//! The error answer of `/api/*`: an RFC 9457 problem document.

use hallpass_core::{code::Code, refusal::Refusal};
use serde::Serialize;
use utoipa::ToSchema;

use crate::status;

/// Where `type` points: the page of all errors, at one code.
pub const TYPE_PAGE: &str = "/docs/errors";

/// `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem<'a> {
    /// A page about this kind of error.
    #[schema(example = "/docs/errors#rate_limited")]
    pub r#type: String,
    /// The kind of error in a few words.
    #[schema(example = "Limit reached")]
    pub title: &'a str,
    /// The HTTP status.
    #[schema(example = 429)]
    pub status: u16,
    /// What happened and what to do.
    pub detail: &'a str,
    /// The stable code of the error.
    #[schema(example = "rate_limited")]
    pub code: &'static str,
    /// The request's member at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "expires_after.seconds")]
    pub member: Option<&'a str>,
    /// The id under which log and audit know this request.
    pub request_id: &'a str,
    /// The title once more, for clients that read `error`.
    #[schema(example = "Limit reached")]
    pub error: &'a str,
}

impl<'a> Problem<'a> {
    /// The document of a refusal.
    #[must_use]
    pub fn new(refusal: &'a Refusal, request_id: &'a str) -> Self {
        let title = status::title(refusal.code);
        Self {
            r#type: page(refusal.code),
            title,
            status: status::status(refusal.code),
            detail: &refusal.detail,
            code: refusal.code.as_str(),
            member: refusal.member.as_deref(),
            request_id,
            error: title,
        }
    }

    /// The document as clients of `/api/interview/realtime-token` expect it.
    #[must_use]
    pub fn for_interview(refusal: &'a Refusal, request_id: &'a str) -> Self {
        let mut problem = Self::new(refusal, request_id);
        problem.error = match problem.status {
            401 => "Unauthorized",
            500.. => "Failed to generate token",
            _ => problem.title,
        };
        problem
    }
}

fn page(code: Code) -> String {
    format!("{TYPE_PAGE}#{code}")
}
