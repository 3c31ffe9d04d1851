//! `/_sim/calls`: what a browser or the network may do to a call.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::{BAD_CLOSE, EndQuery, refuse};
use crate::{call::Command, sessions::Ending, simulator::Core};

/// Takes a client event as if the browser had sent it.
pub(super) async fn say(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let Ok(Value::Object(event)) = serde_json::from_slice(&body) else {
        return refuse("the body must be a client event, a JSON object");
    };
    command(&core, &id, Command::Event(Value::Object(event).to_string())).await
}

/// Lets the browser leave: the call is over, and the sidebands are not told.
pub(super) async fn leave(State(core): State<Arc<Core>>, Path(id): Path<String>) -> Response {
    command(&core, &id, Command::Leave).await
}

/// Ends the sidebands of a call, with a close code or by breaking them.
pub(super) async fn drop_sidebands(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
    Query(query): Query<EndQuery>,
) -> Response {
    let Some(ending) = query.ending(Ending::Cut) else {
        return refuse(BAD_CLOSE);
    };
    let ended = core.sessions.end_sidebands(&id, &ending);
    Json(json!({"ended": ended})).into_response()
}

async fn command(core: &Core, id: &str, command: Command) -> Response {
    let Some(call) = core.calls.get(id) else {
        return no_call(id);
    };
    match call.room.send(command).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(_) => no_call(id),
    }
}

fn no_call(id: &str) -> Response {
    let message = format!("no live call {id:?}; GET /_sim/sessions lists them");
    let body = json!({"error": {"message": message}});
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}
