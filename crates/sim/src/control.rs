//! `/_sim`: faults, log and sessions, for tests and for the curious.

mod calls;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use crate::{
    fault::{FaultSpec, is_close_code},
    sessions::Ending,
    simulator::Core,
};

/// The control routes.
pub(crate) fn routes(core: &Arc<Core>) -> Router {
    Router::new()
        .route(
            "/_sim/faults",
            get(list_faults).post(add_fault).delete(clear_faults),
        )
        .route("/_sim/log", get(log).delete(clear_log))
        .route("/_sim/sessions", get(sessions))
        .route("/_sim/sessions/{id}", delete(end_session))
        .route("/_sim/calls/{id}/events", post(calls::say))
        .route("/_sim/calls/{id}/browser", delete(calls::leave))
        .route("/_sim/calls/{id}/sidebands", delete(calls::drop_sidebands))
        .with_state(Arc::clone(core))
}

async fn add_fault(State(core): State<Arc<Core>>, body: Bytes) -> Response {
    let spec: FaultSpec = match serde_json::from_slice(&body) {
        Ok(spec) => spec,
        Err(error) => return refuse(&format!("not a fault: {error}")),
    };
    match core.faults.add(spec, core.ids.short("fault_")) {
        Ok(added) => (StatusCode::CREATED, Json(added)).into_response(),
        Err(why) => refuse(&why),
    }
}

async fn list_faults(State(core): State<Arc<Core>>) -> Response {
    Json(core.faults.list()).into_response()
}

async fn clear_faults(State(core): State<Arc<Core>>) -> StatusCode {
    core.faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    limit: Option<usize>,
}

async fn log(State(core): State<Arc<Core>>, query: Query<LogQuery>) -> Response {
    let entries = core.log.latest(query.limit.unwrap_or(usize::MAX));
    let dropped = core.log.dropped().to_string();
    ([("x-sim-log-dropped", dropped)], Json(entries)).into_response()
}

async fn clear_log(State(core): State<Arc<Core>>) -> StatusCode {
    core.log.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionsQuery {
    #[serde(default)]
    ended: bool,
}

async fn sessions(State(core): State<Arc<Core>>, query: Query<SessionsQuery>) -> Response {
    let mut sessions = core.live_sessions();
    if query.ended {
        sessions.extend(core.sessions.ended());
    }
    Json(sessions).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndQuery {
    code: Option<u16>,
    #[serde(default)]
    reason: String,
}

impl EndQuery {
    /// The close frame that is asked for, or else `otherwise`; none where no
    /// such frame may be sent.
    fn ending(self, otherwise: Ending) -> Option<Ending> {
        let Some(code) = self.code else {
            return Some(otherwise);
        };
        let reason = self.reason;
        let sendable = is_close_code(code) && reason.len() <= 123;
        sendable.then_some(Ending::Close { code, reason })
    }
}

const BAD_CLOSE: &str = "code must be a close code that may be sent, reason 123 bytes";

async fn end_session(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
    Query(query): Query<EndQuery>,
) -> Response {
    let Some(ending) = query.ending(Ending::Expired) else {
        return refuse(BAD_CLOSE);
    };
    let is_call = core.calls.get(&id).is_some();
    if (is_call && core.end_call(&id, &ending)) || core.sessions.end(&id, &ending) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let message = format!("no live session {id:?}; GET /_sim/sessions lists them");
    (
        StatusCode::NOT_FOUND,
        Json(json!({"error": {"message": message}})),
    )
        .into_response()
}

fn refuse(message: &str) -> Response {
    let body = json!({"error": {"message": message}});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
