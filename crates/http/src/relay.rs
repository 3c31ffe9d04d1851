//! `GET /v1/realtime`: who is let in, and the socket that is then carried.

mod admission;
mod handshake;
mod reject;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use hallpass_api::openai::Envelope;
use hallpass_core::{
    code::Code, live::EndReason, pipeline::Opened, refusal::Refusal, request::RequestFacts,
};
use hallpass_relay::{Carried, Conduit, Pipe, carry};
use hallpass_telemetry::traces::{self, SpanLink, call, linked, step};
use http::{HeaderValue, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

use crate::{
    answer::{ErrorShape, refused},
    app::App,
    serve::Transport,
};
use admission::{Admitted, admit};
use reject::Rejection;

/// A WebSocket to OpenAI, after its 101.
pub struct DialledSocket {
    /// The connection.
    pub pipe: Box<dyn Pipe>,
    /// Bytes that came behind the answer.
    pub ahead: Vec<u8>,
}

/// Opens the other half of a relayed session.
#[async_trait]
pub trait Dialler: Send + Sync {
    /// Dials OpenAI for a session; the error is for the operator.
    async fn dial(&self, opened: &Opened) -> Result<DialledSocket, String>;
}

/// What relaying needs.
#[derive(Clone)]
pub struct Relay {
    /// Opens the other half.
    pub dialler: Arc<dyn Dialler>,
    /// What all sessions share.
    pub carried: Carried,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Relay(…)")
    }
}

/// Relay a realtime session
///
/// A WebSocket, opened with a client secret of mode `relay`: by the
/// subprotocols `realtime, openai-insecure-api-key.<secret>`, or as a bearer
/// token. As OpenAI does, it answers 101 first and refuses then, by an `error`
/// event and a close, which a browser can read.
#[utoipa::path(
    get,
    path = "/v1/realtime",
    operation_id = "relay_session",
    tag = "drop-in",
    params(("model" = Option<String>, Query, description = "The profile's model, or none")),
    responses(
        (status = 101, description = "A WebSocket"),
        (status = 400, description = "Not a WebSocket's request", body = Envelope<'static>),
        (status = 404, description = "Sidebands are not offered", body = Envelope<'static>),
        (status = 500, description = "A defect of the server", body = Envelope<'static>),
    ),
)]
pub(crate) async fn relay_session(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let key = match handshake::key(&parts) {
        Ok(key) => key,
        Err(refusal) => return refused(ErrorShape::OpenAi, refusal, &facts.id, None),
    };
    let (Some(relay), Some(upgrade)) =
        (app.relay().cloned(), parts.extensions.remove::<OnUpgrade>())
    else {
        let text = "This server does not relay sessions.";
        let refusal = Refusal::new(Code::NotFound, text);
        return refused(ErrorShape::OpenAi, refusal, &facts.id, None);
    };
    if handshake::query(&parts, "call_id").is_some() {
        let text = "No session found for the provided call_id.";
        let refusal = Refusal::new(Code::NotFound, text);
        return refused(ErrorShape::OpenAi, refusal, &facts.id, None);
    }
    let offered = handshake::protocols(&parts.headers);
    let admitted = step("admit", admit(&app, &facts, &parts, &offered)).await;
    let (scope, maker) = (traces::current(), maker(&app, &admitted));
    let sockets = app.sockets().clone();
    app.sockets().spawn(scope.carry(async move {
        // A client that goes away before the 101 leaves nothing to do here.
        let Ok(upgraded) = upgrade.await else { return };
        let beginning = begin(upgraded, admitted, &relay);
        if let Some(conduit) = linked("start session", maker, beginning).await {
            // A task of its own: what beginning took is given back.
            sockets.spawn(carry(conduit, relay.carried));
        }
    }));
    switching(&key, offered.iter().any(|offer| offer == "realtime"))
}

/// The span that made the secret a session is opened with.
fn maker(app: &App, admitted: &Result<Admitted, Rejection>) -> Option<SpanLink> {
    let admitted = admitted.as_ref().ok()?;
    let grant = &admitted.opened.live().facts().grant;
    app.traces().maker(grant.id.as_str())
}

/// The answer that makes a WebSocket of the connection.
fn switching(key: &str, realtime: bool) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&handshake::accept(key)) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if realtime {
        let realtime = HeaderValue::from_static("realtime");
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, realtime);
    }
    response
}

/// Dials OpenAI for whoever was let in; none where there is no session.
async fn begin(
    upgraded: Upgraded,
    admitted: Result<Admitted, Rejection>,
    relay: &Relay,
) -> Option<Box<Conduit>> {
    let (client, client_ahead) = bare(upgraded);
    let Admitted {
        opened,
        hallpass_events,
    } = match admitted {
        Ok(admitted) => admitted,
        Err(rejection) => {
            rejection.tell(client).await;
            return None;
        }
    };
    let dialled = tokio::select! {
        dialled = call("dial upstream", relay.dialler.dial(&opened)) => dialled.map_err(|cause| {
            tracing::warn!(%cause, "OpenAI gave no WebSocket for a relayed session");
            (EndReason::UpstreamUnreachable, vec![("cause", cause)])
        }),
        reason = opened.live().ended() => Err((reason, Vec::new())),
    };
    match dialled {
        Ok(upstream) => Some(Box::new(Conduit {
            opened,
            client,
            client_ahead,
            upstream: upstream.pipe,
            upstream_ahead: upstream.ahead,
            hallpass_events,
        })),
        Err((reason, facts)) => {
            Rejection::ended(reason).tell(client).await;
            opened.close(reason, facts).await;
            None
        }
    }
}

/// The connection without what HTTP kept around it.
fn bare(upgraded: Upgraded) -> (Box<dyn Pipe>, Vec<u8>) {
    match upgraded.downcast::<TokioIo<Transport>>() {
        Ok(parts) => (Box::new(parts.io.into_inner()), parts.read_buf.to_vec()),
        Err(other) => (Box::new(TokioIo::new(other)), Vec::new()),
    }
}
