//! Answers: the granted, and the refused in the shape each route's clients read.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use hallpass_api::{openai::Envelope, problem::Problem, status};
use hallpass_core::{
    code::Code,
    ids::{GrantId, RequestId, Subject},
    refusal::Refusal,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::limit_headers;

/// How long to wait after a failure that does not say, in seconds.
const DEFAULT_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// Headers of a granted answer, so that their table is made once.
const HEADERS: usize = 12;
/// Bytes of a granted answer, so that they are written once.
const BODY: usize = 1024;

/// The shape in which a route's clients read errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorShape {
    /// `application/problem+json`.
    Problem,
    /// The same, with the `error` texts of the requirement.
    Interview,
    /// OpenAI's envelope.
    OpenAi,
}

/// What the log line tells of an answer; in its extensions.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Who asked.
    pub caller: Option<Subject>,
    /// Why it was refused.
    pub code: Option<Code>,
    /// What the operator needs.
    pub internal: Option<String>,
    /// The grant it is about.
    pub grant: Option<GrantId>,
}

/// An answer with a JSON body.
pub(crate) fn json(
    status: StatusCode,
    content_type: &'static str,
    body: &impl Serialize,
) -> Response {
    let mut bytes = Vec::with_capacity(BODY);
    if serde_json::to_writer(&mut bytes, body).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A good answer.
pub(crate) fn good(status: StatusCode, body: &impl Serialize) -> Response {
    json(status, "application/json", body)
}

/// The answer of a refusal.
pub(crate) fn refused(
    shape: ErrorShape,
    refusal: Refusal,
    request_id: &RequestId,
    caller: Option<Subject>,
) -> Response {
    let status = StatusCode::from_u16(status::status(refusal.code))
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = request_id.as_str();
    let mut response = match shape {
        ErrorShape::Problem => json(
            status,
            "application/problem+json",
            &Problem::new(&refusal, id),
        ),
        ErrorShape::Interview => json(
            status,
            "application/problem+json",
            &Problem::for_interview(&refusal, id),
        ),
        ErrorShape::OpenAi => json(status, "application/json", &Envelope::new(&refusal)),
    };
    advise(&mut response, &refusal, status);
    let Refusal { code, internal, .. } = refusal;
    response.extensions_mut().insert(Told {
        caller,
        code: Some(code),
        internal,
        grant: None,
    });
    response
}

/// Tells clients whether and when to try again.
fn advise(response: &mut Response, refusal: &Refusal, status: StatusCode) {
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let waits = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    if let Some(wait) = refusal.retry_after.or(waits.then_some(DEFAULT_WAIT)) {
        limit_headers::retry_after(headers, wait);
    }
    if let Some(limit) = &refusal.limit {
        limit_headers::write(headers, [&**limit]);
    }
    if !refusal.code.is_retryable() {
        headers.insert(
            HeaderName::from_static("x-should-retry"),
            HeaderValue::from_static("false"),
        );
    }
}
