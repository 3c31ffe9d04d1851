//! Which path goes where.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{any, post},
};

use crate::{call, control, error::ApiError, gate::gate, mint, simulator::Core, socket};

/// Largest body read, bytes.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;

/// The simulated API behind its gate, and the control routes beside it.
pub(crate) fn router(core: &Arc<Core>) -> Router {
    let api = Router::new()
        .route("/v1/realtime", any(socket::connect).post(retired))
        .route("/v1/realtime/client_secrets", post(mint::create))
        .route("/v1/realtime/sessions", post(retired))
        .route("/v1/realtime/transcription_sessions", post(retired))
        .route("/v1/realtime/calls", post(call::create))
        .route("/v1/realtime/calls/{id}/hangup", post(call::hangup))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(Arc::clone(core), gate))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::clone(core));
    control::routes(core).fallback_service(api)
}

async fn retired() -> ApiError {
    ApiError::invalid_beta()
}

async fn no_route(request: Request) -> Response {
    ApiError::no_route(request.method().as_str(), request.uri().path()).into_response()
}

async fn no_method(request: Request) -> Response {
    ApiError::no_method(request.method().as_str(), request.uri().path()).into_response()
}
