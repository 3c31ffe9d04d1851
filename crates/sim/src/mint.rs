//! `POST /v1/realtime/client_secrets`.

mod template;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};

use crate::{
    credential::{LastFour, UnverifiedKey, beta_header, safety_identifier},
    error::ApiError,
    log::IssuedSecret,
    router::BODY_LIMIT,
    secrets::Secret,
    simulator::Core,
};

use template::Template;
pub(crate) use template::Templates;

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
pub(crate) fn issue(core: &Core, body: &Bytes, headers: &HeaderMap) -> Result<Response, ApiError> {
    let template = core.templates.of(body, &core.ids)?;
    let value = core.ids.hex("ek_");
    let now = core.now();
    let expires_at = now + template.seconds;
    let (body, session) = answer(&value, expires_at, &template, &core.ids.short("sess_"));
    let secret = Secret {
        expires_at,
        session,
        names_model: template.names_model,
        safety_identifier: safety_identifier(headers),
    };
    core.gatekeeper.secrets.insert(&value, secret, now);

    let json = HeaderValue::from_static("application/json");
    let mut response = ([(header::CONTENT_TYPE, json)], body).into_response();
    response
        .extensions_mut()
        .insert(IssuedSecret(LastFour::of(&value)));
    Ok(response)
}

/// The body, and the part of it that is the session: remembered, not copied.
fn answer(value: &str, expires_at: u64, template: &Template, id: &str) -> (Bytes, Bytes) {
    let head = format!("{{\"value\":\"{value}\",\"expires_at\":{expires_at},\"session\":");
    let Template {
        before_id,
        after_id,
        ..
    } = template;
    let body = Bytes::from([&head, before_id, id, after_id, "}"].concat());
    let session = body.slice(head.len()..body.len() - 1);
    (body, session)
}
