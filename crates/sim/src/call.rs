//! WebRTC calls: created by SDP, ended by hangup.

mod offer;
mod peer;
mod register;
mod room;
mod tone;

use std::sync::Arc;

use axum::{
    extract::{Path, Query, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    credential::{UnverifiedKey, beta_header, safety_identifier},
    effective::{self, Session},
    error::ApiError,
    sdp::{self, Endpoint},
    secrets::Identity,
    sessions::{Ending, SessionSummary},
    simulator::Core,
};

pub(crate) use register::{Call, Calls};
pub(crate) use room::{Command, UNREAD_LIMIT};

use offer::Offer;
use peer::Peer;
use room::{Opening, Room};

/// Client events that may wait for a call's session.
const COMMANDS_WAITING: usize = 256;

/// The pairs of an address's query.
pub(crate) type Pairs = Query<Vec<(String, String)>>;

/// The first value of a name in a query.
pub(crate) fn query_value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// `POST /v1/realtime/calls`: an offer in, an answer and the call's id out.
pub(crate) async fn create(
    State(core): State<Arc<Core>>,
    Query(query): Pairs,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let key = UnverifiedKey::from_header(&parts.headers);
    let identity = core.gatekeeper.identify(key.as_ref(), core.now())?;
    let key = key.ok_or_else(ApiError::missing_auth)?;
    if beta_header(&parts.headers) {
        return Err(ApiError::invalid_beta());
    }
    let offer = Offer::read(&parts.headers, body).await?;
    let id = core.ids.hex("rtc_u1_");
    let session = configure(
        &core,
        &identity,
        offer.session.as_ref(),
        query_value(&query, "model"),
    )?;
    let agreed = query_value(&query, "dcid").and_then(|id| id.parse().ok());
    let (peer, answer) = match Peer::answer(&offer.sdp, agreed).await {
        Some((peer, answer)) => (Some(peer), answer),
        None => (None, signalling_only(&core, &offer.sdp)?),
    };
    let of_secret = identity
        .secret()
        .and_then(|secret| secret.safety_identifier.clone());
    let safety_identifier = safety_identifier(&parts.headers).or(of_secret);
    let expires_at = core.now() + core.config.session_limit.as_secs();
    let session = effective::at_connect(session, &core.ids.short("sess_"), expires_at);
    let (room, commands) = mpsc::channel(COMMANDS_WAITING);
    let deadline = Instant::now() + core.config.session_limit;
    let live = peer.is_none();
    let call = Arc::new(Call::new(key, safety_identifier, deadline, room, live));
    let (registration, endings) = core.sessions.open(summary(&core, &id, &call, &session));
    let opening = Opening {
        id: id.clone(),
        call: Arc::clone(&call),
        session,
        peer,
        commands,
        endings,
        registration,
    };
    if let Some(oldest) = core.calls.insert(&id, call) {
        core.end_call(&oldest, &Ending::Cut);
    }
    core.running
        .spawn(Room::open(Arc::clone(&core), opening).run());
    let headers = [
        (header::CONTENT_TYPE, "application/sdp".to_owned()),
        (header::LOCATION, format!("/v1/realtime/calls/{id}")),
    ];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}

/// An answer for tests that stop at the signalling.
fn signalling_only(core: &Core, offer: &str) -> Result<String, ApiError> {
    let answer = sdp::answer(offer, &Endpoint::new(&core.ids));
    answer
        .ok_or_else(|| ApiError::bad_request("invalid_offer", "The SDP offer could not be parsed."))
}

fn summary(core: &Core, id: &str, call: &Call, session: &Session) -> SessionSummary {
    SessionSummary {
        safety_identifier: call.safety_identifier.as_deref().map(str::to_owned),
        call_id: Some(id.to_owned()),
        ..SessionSummary::new(id, "call", call.key.last_four(), core.timestamp(), session)
    }
}

/// `POST /v1/realtime/calls/{id}/hangup`.
pub(crate) async fn hangup(
    State(core): State<Arc<Core>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let key = UnverifiedKey::from_header(&headers).ok_or_else(ApiError::missing_auth)?;
    core.calls
        .find(&id, &key)
        .ok_or_else(ApiError::call_not_found)?;
    let reason = String::new();
    core.end_call(&id, &Ending::Close { code: 1000, reason });
    Ok(StatusCode::OK)
}

impl Core {
    /// Ends a call and its sidebands; false where there is none.
    ///
    /// It is off the list when this returns.
    pub(crate) fn end_call(&self, id: &str, ending: &Ending) -> bool {
        let code = match ending {
            Ending::Expired => 1001,
            Ending::Close { code, .. } => *code,
            Ending::Cut => 1006,
        };
        self.calls.remove(id);
        self.sessions.strike(id, ending, self.timestamp(), code)
    }
}

/// The session of a call: of its secret, of the offer, or the default.
fn configure(
    core: &Core,
    identity: &Identity,
    offered: Option<&Value>,
    model: Option<&str>,
) -> Result<Session, ApiError> {
    let mut session = match (identity.secret(), offered) {
        (None, offered) => effective::at_mint(offered, "")?,
        (Some(secret), None) => secret.session(),
        (Some(secret), Some(offered)) => effective::update(&secret.session(), offered)?,
    };
    let named = identity.secret().is_some_and(|secret| secret.names_model)
        || offered.is_some_and(|session| session.get("model").is_some());
    if let (Some(model), false) = (model, named) {
        effective::set_model(&mut session, model);
    }
    match effective::model(&session) {
        Some(model) if !core.is_realtime_model(model) => Err(ApiError::invalid_model(model)),
        _ => Ok(session),
    }
}
