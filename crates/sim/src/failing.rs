//! Carries out a fault on a request.

use std::{future::pending, io};

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use tokio::{task::yield_now, time::sleep};

use crate::{
    connection::Cut,
    error::ApiError,
    fault::{Fault, Kind, Route},
};

/// What a client reads that expects JSON.
const NOT_JSON: &str = "<html><body>502 Bad Gateway</body></html>";

/// Answers as the fault says, or does not.
pub(crate) async fn fail(fault: Fault, route: Route, mut request: Request, next: Next) -> Response {
    let on_socket = route == Route::Websocket && fault.acts_on_socket();
    if on_socket {
        if fault.kind != Kind::Close {
            sleep(fault.delay).await;
        }
        request.extensions_mut().insert(fault);
        return next.run(request).await;
    }
    sleep(fault.delay).await;
    match fault.kind {
        Kind::Delay => next.run(request).await,
        Kind::Status => answer(fault),
        Kind::Malformed => malformed(fault),
        Kind::Truncate => truncate(fault, request, next).await,
        Kind::Hang => pending().await,
        Kind::Close => cut(request.extensions_mut().remove(), Cut::close).await,
        Kind::Reset => cut(request.extensions_mut().remove(), Cut::reset).await,
    }
}

fn answer(mut fault: Fault) -> Response {
    let status = fault.http_status();
    let mut response = match fault.body.take() {
        Some(body) => (status, json_type(), body).into_response(),
        None => default_answer(status),
    };
    response.headers_mut().extend(fault.headers);
    response
}

fn default_answer(status: StatusCode) -> Response {
    if status.is_client_error() || status.is_server_error() {
        return ApiError::of_status(status).into_response();
    }
    status.into_response()
}

fn malformed(fault: Fault) -> Response {
    let status = fault.status.and_then(|it| StatusCode::from_u16(it).ok());
    let body = fault
        .body
        .unwrap_or(Bytes::from_static(NOT_JSON.as_bytes()));
    let mut response = (status.unwrap_or(StatusCode::OK), json_type(), body).into_response();
    response.headers_mut().extend(fault.headers);
    response
}

fn json_type() -> [(header::HeaderName, HeaderValue); 1] {
    [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )]
}

/// Announces the whole answer and sends the first half of it.
///
/// The real handler runs, so a mint whose answer is lost has still minted.
async fn truncate(mut fault: Fault, request: Request, next: Next) -> Response {
    let whole = match fault.body.take() {
        Some(body) => (json_type(), body).into_response(),
        None => next.run(request).await,
    };
    let (mut parts, whole) = whole.into_parts();
    let whole = whole
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    let length = HeaderValue::from(whole.len().max(1));
    parts.headers.insert(header::CONTENT_LENGTH, length);
    parts.headers.extend(fault.headers);
    Response::from_parts(parts, broken_body(half))
}

/// A body that is sent, then fails, which makes the server drop the connection.
fn broken_body(sent: Bytes) -> Body {
    let start = (!sent.is_empty()).then_some(sent);
    Body::from_stream(stream::unfold(Some(start), |state| async move {
        match state? {
            Some(bytes) => Some((Ok(bytes), Some(None))),
            None => {
                // Without a pause the server would fail before it flushed.
                yield_now().await;
                Some((
                    Err(io::Error::other("truncated by an injected fault")),
                    None,
                ))
            }
        }
    }))
}

/// Cuts the connection; the server then drops this future.
async fn cut(cut: Option<Cut>, how: fn(&Cut)) -> Response {
    let Some(cut) = cut else {
        return (json_type(), broken_body(Bytes::new())).into_response();
    };
    how(&cut);
    pending().await
}
