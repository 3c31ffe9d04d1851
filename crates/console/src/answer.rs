//! Answers: pages, and the headers each of them carries.

use axum::response::{IntoResponse, Response};
use hallpass_core::ids::Subject;
use hallpass_http::Told;
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::Markup;

/// Its own files and forms, and nothing else: no inline script or style, no
/// frame, no other origin, and no text that becomes markup.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// A page.
pub(crate) fn page(status: StatusCode, markup: Markup) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // With no referrer at all a browser says of our own forms that they
        // came from "null".
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        ),
    ];
    (status, headers, markup.into_string()).into_response()
}

/// Leads to another page, which is then read.
pub(crate) fn go(place: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Names the operator in the log's line.
pub(crate) fn known(mut response: Response, operator: &Subject) -> Response {
    response.extensions_mut().insert(Told {
        caller: Some(operator.clone()),
        ..Told::default()
    });
    response
}

/// Adds a cookie to an answer.
pub(crate) fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A file to be kept.
pub(crate) fn file(name: &str, content_type: &'static str, text: String) -> Response {
    let kept = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::CONTENT_DISPOSITION, kept),
    ];
    (StatusCode::OK, headers, text).into_response()
}
