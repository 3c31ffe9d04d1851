//! `GET /v1/realtime`: the upgrade, and who is let in.

mod pump;
mod side;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{
        Query, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    call::{Pairs, query_value},
    credential::{UnverifiedKey, beta_handshake, safety_identifier},
    effective::{self, DEFAULT_MODEL, Session},
    error::ApiError,
    fault::Fault,
    realtime::error_event,
    secrets::Identity,
    simulator::Core,
};

use pump::{Opening, Pump};

/// Largest message taken, bytes.
const MESSAGE_LIMIT: usize = 16 * 1024 * 1024;

/// Upgrades, then authenticates: a browser could not read a refused upgrade.
pub(crate) async fn connect(
    State(core): State<Arc<Core>>,
    Query(query): Pairs,
    headers: HeaderMap,
    fault: Option<Extension<Fault>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let message = "This address is a WebSocket; send an upgrade request.";
        let error = ApiError::bad_request("websocket_required", message);
        return ApiError {
            status: StatusCode::UPGRADE_REQUIRED,
            ..error
        }
        .into_response();
    };
    let fault = fault.map(|Extension(fault)| fault);
    let opening = match query_value(&query, "call_id") {
        Some(call_id) => match attach(&core, call_id, &headers) {
            Some(opening) => Ok(opening),
            None => return ApiError::call_not_found().into_response(),
        },
        None => admit(&core, &query, &headers),
    };
    let upgrade = upgrade
        .protocols(["realtime"])
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT);
    upgrade.on_upgrade(move |socket| async move {
        // Counted, so that a stopping server can wait for its sessions.
        let _running = core.running.token();
        match opening {
            Ok(opening) => Pump::serve(core, socket, opening, fault).await,
            Err(error) => refuse(&core, socket, &error).await,
        }
    })
}

/// Checks credential, shape and model, in this order.
fn admit(
    core: &Core,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Opening, ApiError> {
    let key = UnverifiedKey::from_handshake(headers);
    let identity = core.gatekeeper.identify(key.as_ref(), core.now())?;
    let key = key.ok_or_else(ApiError::missing_auth)?;
    if beta_handshake(headers) {
        return Err(ApiError::beta_disabled());
    }
    let session = choose_session(core, &identity, query)?;
    let id = core.ids.short("sess_");
    let expires_at = core.now() + core.config.session_limit.as_secs();
    let of_secret = identity
        .secret()
        .and_then(|secret| secret.safety_identifier.clone());
    Ok(Opening {
        session: effective::at_connect(session, &id, expires_at),
        id,
        call: None,
        credential: key.last_four(),
        safety_identifier: safety_identifier(headers).or(of_secret),
        deadline: Instant::now() + core.config.session_limit,
    })
}

/// The secret's session, else that of the address.
fn choose_session(
    core: &Core,
    identity: &Identity,
    query: &[(String, String)],
) -> Result<Session, ApiError> {
    let asked = query_value(query, "model");
    let transcribes = query_value(query, "intent") == Some("transcription");
    let mut session = match identity.secret() {
        Some(secret) => secret.session(),
        None if transcribes => return Ok(effective::of_kind("transcription")),
        None => effective::of_kind("realtime"),
    };
    if effective::is_transcription(&session) {
        return Ok(session);
    }
    let bound = identity.secret().filter(|secret| secret.names_model);
    let model = match (bound, asked) {
        (Some(_), _) => effective::model(&session)
            .unwrap_or(DEFAULT_MODEL)
            .to_owned(),
        (None, Some(asked)) => asked.to_owned(),
        (None, None) if identity.secret().is_some() => DEFAULT_MODEL.to_owned(),
        (None, None) => return Err(ApiError::missing_model()),
    };
    if !core.is_realtime_model(&model) {
        return Err(ApiError::invalid_model(&model));
    }
    effective::set_model(&mut session, &model);
    Ok(session)
}

/// Listens in on a call that is live, with the credential that created it.
fn attach(core: &Core, call_id: &str, headers: &HeaderMap) -> Option<Opening> {
    let key = UnverifiedKey::from_handshake(headers)?;
    let call = core.calls.find(call_id, &key)?;
    if !call.is_live() {
        return None;
    }
    Some(Opening {
        session: core.sessions.configuration(call_id)?,
        id: core.ids.short("side_"),
        credential: key.last_four(),
        safety_identifier: call.safety_identifier.clone(),
        deadline: call.deadline,
        call: Some((call_id.to_owned(), call)),
    })
}

/// One `error`, then a close: 3000 for a credential, 4000 for all else.
async fn refuse(core: &Core, mut socket: WebSocket, error: &ApiError) {
    let event = Value::Object(error_event(error, None, &core.ids)).to_string();
    let code = if error.status == StatusCode::UNAUTHORIZED {
        3000
    } else {
        4000
    };
    if socket.send(Message::text(event)).await.is_ok() {
        close(&mut socket, code, error.close_reason()).await;
    }
}

/// Closes and waits a moment for the client to agree.
async fn close(socket: &mut WebSocket, code: u16, reason: String) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        return;
    }
    let agreed = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _ = tokio::time::timeout(pump::CLOSE_LIMIT, agreed).await;
}
