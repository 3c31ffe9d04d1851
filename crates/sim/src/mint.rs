//! `POST /v1/realtime/client_secrets`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

use crate::{
    credential::{LastFour, UnverifiedKey, beta_header, safety_identifier},
    effective::{self, Session},
    error::ApiError,
    log::IssuedSecret,
    router::BODY_LIMIT,
    schema,
    secrets::Secret,
    simulator::Core,
};

/// Life of a secret whose request names none, seconds.
const DEFAULT_SECONDS: u64 = 600;

/// Issues a client secret.
pub(crate) async fn create(
    State(core): State<Arc<Core>>,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let key = UnverifiedKey::from_header(&parts.headers);
    core.gatekeeper.standard(key.as_ref())?;
    if beta_header(&parts.headers) {
        return Err(ApiError::invalid_beta());
    }
    check_content_type(&parts.headers, "application/json")?;
    let body = axum::body::to_bytes(body, BODY_LIMIT).await;
    let body = body.map_err(|_| ApiError::too_large())?;
    issue(&core, &body, &parts.headers)
}

/// The media type must be the one wanted; its parameters do not matter.
pub(crate) fn check_content_type(headers: &HeaderMap, wanted: &str) -> Result<(), ApiError> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let given = given.unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(ApiError::content_type(media_type, wanted))
}

/// Checks a body and issues what it asks for.
pub(crate) fn issue(core: &Core, body: &[u8], headers: &HeaderMap) -> Result<Response, ApiError> {
    let request: Value = match body {
        [] => Value::Object(Session::new()),
        body => serde_json::from_slice(body).map_err(|_| ApiError::not_json())?,
    };
    schema::check(schema::MINT, &request, "")?;
    let seconds = seconds(&request)?;
    let requested = request.get("session");
    let names_model = requested.is_some_and(|session| session.get("model").is_some());
    let session = effective::at_mint(requested, &core.ids.short("sess_"))?;

    let value = core.ids.hex("ek_");
    let now = core.now();
    let expires_at = now + seconds;
    let (body, session) = answer(&value, expires_at, &session);
    let safety_identifier = safety_identifier(headers);
    let secret = Secret {
        expires_at,
        session,
        names_model,
        safety_identifier,
    };
    core.gatekeeper.secrets.insert(&value, secret, now);

    let json = HeaderValue::from_static("application/json");
    let mut response = ([(header::CONTENT_TYPE, json)], body).into_response();
    response
        .extensions_mut()
        .insert(IssuedSecret(LastFour::of(&value)));
    Ok(response)
}

fn seconds(request: &Value) -> Result<u64, ApiError> {
    let expires_after = request.get("expires_after").filter(|it| !it.is_null());
    let Some(expires_after) = expires_after else {
        return Ok(DEFAULT_SECONDS);
    };
    if expires_after.get("anchor").is_none() {
        return Err(ApiError::missing_parameter("expires_after.anchor"));
    }
    let seconds = expires_after.get("seconds").and_then(Value::as_u64);
    Ok(seconds.unwrap_or(DEFAULT_SECONDS))
}

/// The body, and the part of it that is the session: remembered, not copied.
fn answer(value: &str, expires_at: u64, session: &Session) -> (Bytes, Bytes) {
    let session = serde_json::to_string(session).unwrap_or_default();
    let head = format!("{{\"value\":\"{value}\",\"expires_at\":{expires_at},\"session\":");
    let start = head.len();
    let mut body = head.into_bytes();
    body.reserve_exact(session.len() + 1);
    body.extend_from_slice(session.as_bytes());
    body.push(b'}');
    let body = Bytes::from(body);
    let session = body.slice(start..body.len() - 1);
    (body, session)
}
