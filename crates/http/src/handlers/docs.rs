//! The generated document, and the page of all errors.

use axum::response::{Html, IntoResponse, Response};
use http::header;

use crate::{document, error_page};

/// The OpenAPI document
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "documentation",
    responses((status = 200, description = "This document", content_type = "application/json", body = Object)),
)]
pub(crate) async fn openapi() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, document::openapi_json()).into_response()
}

/// Every error code, its status and what to do
#[utoipa::path(
    get,
    path = "/docs/errors",
    tag = "documentation",
    responses((status = 200, description = "A page", content_type = "text/html", body = String)),
)]
pub(crate) async fn errors() -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, error_page::POLICY),
    ];
    (headers, Html(error_page::render())).into_response()
}
