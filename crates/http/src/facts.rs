//! The facts of a request, gathered once for log, metrics and audit.

use std::sync::Arc;

use axum::extract::MatchedPath;
use hallpass_core::{
    ids::RequestId,
    request::{MAX_USER_AGENT, RequestFacts, clean},
};
use http::{HeaderMap, HeaderName, Method, Request, header};

use crate::{
    app::App,
    serve::{ConnectionFacts, client_address},
};

/// The route of a request that matched none.
pub(crate) const UNMATCHED: &str = "(none)";

/// Carries a request's id, the caller's or ours.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id taken from a caller.
const MAX_REQUEST_ID: usize = 128;

/// Every route there is, so that logs, metrics and audit name routes and never
/// what a caller typed.
const ROUTES: [&str; 57] = [
    "/api/generate-client-secret",
    "/api/interview/realtime-token",
    "/v1/realtime/client_secrets",
    "/api/setup/ai-sdk",
    "/v1/realtime",
    "/v1/realtime/calls",
    "/api/client-secrets",
    "/api/client-secrets/{id}",
    "/api/client-secrets/{id}/refresh",
    "/api/client-secrets/{id}/revoke",
    "/api/client-secrets/{id}/events",
    "/api/sessions/{id}/renew",
    "/api/admin/sessions",
    "/api/admin/sessions/{id}",
    "/api/admin/sessions/{id}/end",
    "/api/admin/usage",
    "/api/admin/alerts",
    "/api/admin/alerts/{id}/acknowledge",
    "/api/admin/audit",
    "/api/admin/grants",
    "/api/admin/grants/{id}",
    "/api/admin/grants/{id}/revoke",
    "/api/admin/revocations",
    "/api/admin/revocations/{id}/lift",
    "/api/admin/keys",
    "/api/admin/keys/{id}/revoke",
    "/api/admin/keys/{id}/rotate",
    "/api/admin/interviews",
    "/api/admin/interviews/{session_id}",
    "/api/admin/interviews/{session_id}/end",
    "/api/admin/upstreams",
    "/api/admin/upstreams/{name}/breaker",
    "/console",
    "/console/",
    "/console/sign-in",
    "/console/sign-out",
    "/console/events",
    "/console/sessions",
    "/console/sessions/{id}/end",
    "/console/users",
    "/console/alerts",
    "/console/alerts/{id}/acknowledge",
    "/console/audit",
    "/console/audit/{sequence}",
    "/console/keys",
    "/console/keys/{id}/revoke",
    "/console/revocations",
    "/console/revocations/{id}/lift",
    "/console/upstreams/{name}/breaker",
    "/console/assets/{file}",
    "/console/{*rest}",
    "/livez",
    "/readyz",
    "/health",
    "/metrics",
    "/openapi.json",
    "/docs/errors",
];

/// The pages of the interactive document, whose files have routes of their own.
pub(crate) const DOCS: &str = "/docs";

/// Gathers the facts of a request.
pub(crate) fn gather<B>(app: &App, request: &Request<B>) -> Arc<RequestFacts> {
    let headers = request.headers();
    let connection = request.extensions().get::<ConnectionFacts>();
    let address =
        connection.map(|facts| client_address(facts.peer, headers, app.trusted_proxies()));
    let matched = request.extensions().get::<MatchedPath>();
    Arc::new(RequestFacts {
        id: given_id(headers).unwrap_or_else(|| app.broker().ids().request_id()),
        method: method(request.method()),
        route: matched.map_or(UNMATCHED, |path| route(path.as_str())),
        address,
        user_agent: text(headers, &header::USER_AGENT),
        origin: text(headers, &header::ORIGIN),
    })
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(clean(
        &String::from_utf8_lossy(value.as_bytes()),
        MAX_USER_AGENT,
    ))
}

/// The caller's own request id, where it is one that can't disturb a log line.
fn given_id(headers: &HeaderMap) -> Option<RequestId> {
    let text = headers.get(REQUEST_ID)?.to_str().ok()?;
    let harmless =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if text.len() > MAX_REQUEST_ID || !text.bytes().all(harmless) {
        return None;
    }
    RequestId::new(text).ok()
}

fn route(matched: &str) -> &'static str {
    if matched.starts_with(DOCS) && matched != "/docs/errors" {
        return DOCS;
    }
    let known = ROUTES.iter().find(|route| **route == matched);
    known.unwrap_or(&UNMATCHED)
}

fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::router;

    #[test]
    fn every_documented_route_has_its_name_in_logs_and_metrics() {
        for path in router::document().paths.paths.into_keys() {
            assert_eq!(route(&path), path, "add it to ROUTES");
        }
    }

    #[test]
    fn a_hostile_request_id_is_not_taken() {
        let mut headers = HeaderMap::new();
        for hostile in ["a b", "", "{\"x\":1}", &"x".repeat(129), "é"] {
            headers.insert(
                "x-request-id",
                HeaderValue::from_bytes(hostile.as_bytes()).unwrap(),
            );
            assert_eq!(given_id(&headers), None, "{hostile}");
        }
        headers.insert("x-request-id", HeaderValue::from_static("trace-1.2_3:4"));
        assert_eq!(given_id(&headers).unwrap().as_str(), "trace-1.2_3:4");
    }
}
