//! The page's files, built by `web/build.mjs`.

use axum::{
    extract::Path,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};

const INDEX: &str = include_str!("../../../../../web/dist/demo/index.html");
const SCRIPT: &str = include_str!("../../../../../web/dist/demo/demo.js");
const STYLE: &str = include_str!("../../../../../web/dist/demo/demo.css");
const ICON: &str = include_str!("../../../../../web/dist/demo/icon.svg");

/// What the page may load and reach: its own files, this server, and OpenAI or
/// the simulator.
pub(super) fn policy(simulator: Option<&str>) -> String {
    let upstream = simulator.map_or_else(
        || "https://api.openai.com wss://api.openai.com".to_owned(),
        |url| format!("{url} {}", url.replacen("http", "ws", 1)),
    );
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' {upstream}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
}

/// The page itself.
pub(super) fn index(policy: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("permissions-policy"),
            "microphone=(self), camera=(), geolocation=()",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    (headers, INDEX).into_response()
}

/// `/demo` leads to `/demo/`, where relative addresses are right.
pub(super) async fn move_in() -> Redirect {
    Redirect::permanent("/demo/")
}

/// One of its files.
pub(super) async fn file(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "demo.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "demo.css" => ("text/css; charset=utf-8", STYLE),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text).into_response()
}
