//! What every request passes: log, faults, CORS, OpenAI's own headers.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::time::Instant;

use crate::{
    credential::{UnverifiedKey, safety_identifier},
    failing::fail,
    fault::Route,
    log::{Arrival, IssuedSecret, request_id},
    simulator::Core,
};

/// Longest path the log keeps.
const PATH_LIMIT: usize = 256;

/// The layer around all of `/v1`.
pub(crate) async fn gate(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = route_of(request.uri().path());
    let number = core.ids.next();
    let ticket = core.log.open(arrival(&core, &request, route, number));
    let mut response = if is_preflight(&request) {
        preflight(&request)
    } else if let Some(fault) = core.faults.strike(route, &core.ids) {
        ticket.fault(fault.kind.name());
        fail(fault, route, request, next).await
    } else {
        next.run(request).await
    };
    let secret = response
        .extensions()
        .get::<IssuedSecret>()
        .map(|issued| issued.0);
    ticket.close(response.status().as_u16(), secret);
    let headers = response.headers_mut();
    if route != Route::Websocket {
        own_headers(headers, number, started);
    }
    allow_any_origin(headers);
    response
}

fn arrival(core: &Core, request: &Request, route: Route, request_id: u128) -> Arrival {
    let headers = request.headers();
    Arrival {
        time: (core.config.clock)(),
        method: request.method().clone(),
        route,
        path: request
            .uri()
            .path()
            .chars()
            .take(PATH_LIMIT)
            .collect::<String>()
            .into(),
        credential: UnverifiedKey::from_handshake(headers).map(|key| key.last_four()),
        request_id,
        safety_identifier: safety_identifier(headers),
    }
}

/// The route's name for faults and log, from the path alone.
fn route_of(path: &str) -> Route {
    match path {
        "/v1/realtime" => Route::Websocket,
        "/v1/realtime/client_secrets" => Route::ClientSecrets,
        "/v1/realtime/calls" => Route::Calls,
        "/v1/realtime/sessions" | "/v1/realtime/transcription_sessions" => Route::Retired,
        _ if path.starts_with("/v1/realtime/calls/") && path.ends_with("/hangup") => Route::Hangup,
        _ => Route::Other,
    }
}

/// OpenAI sets these on every answer but a WebSocket upgrade's.
fn own_headers(headers: &mut HeaderMap, number: u128, started: Instant) {
    if let Ok(id) = HeaderValue::try_from(request_id(number)) {
        headers.entry("x-request-id").or_insert(id);
    }
    let elapsed = started.elapsed().as_millis() as u64;
    headers
        .entry("openai-processing-ms")
        .or_insert(HeaderValue::from(elapsed));
}

fn allow_any_origin(headers: &mut HeaderMap) {
    let exposed = "Location, x-request-id, openai-processing-ms, retry-after, retry-after-ms";
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(exposed),
    );
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Allows what was asked for: `*` would not cover `Authorization`.
fn preflight(request: &Request) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(asked) = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
    {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    response
}
