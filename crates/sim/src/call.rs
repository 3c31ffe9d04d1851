//! WebRTC calls: created by SDP, ended by hangup. No media flows.

mod register;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Query, Request, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use crate::{
    credential::{UnverifiedKey, beta_header, safety_identifier},
    effective::{self, Session},
    error::ApiError,
    mint::check_content_type,
    router::BODY_LIMIT,
    sdp::{self, Endpoint},
    secrets::Identity,
    sessions::Ending,
    simulator::Core,
};

pub(crate) use register::{Call, Calls};

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
    let answer = sdp::answer(&offer.sdp, &Endpoint::new(&core.ids));
    let answer = answer.ok_or_else(|| {
        ApiError::bad_request("invalid_offer", "The SDP offer could not be parsed.")
    })?;
    let of_secret = identity
        .secret()
        .and_then(|secret| secret.safety_identifier.clone());
    let expires_at = core.now() + core.config.session_limit.as_secs();
    let session = effective::at_connect(session, &core.ids.short("sess_"), expires_at);
    core.calls.insert(
        &id,
        Call {
            key,
            session,
            safety_identifier: safety_identifier(&parts.headers).or(of_secret),
            created_at: core.timestamp(),
            deadline: tokio::time::Instant::now() + core.config.session_limit,
        },
    );
    let headers = [
        (header::CONTENT_TYPE, "application/sdp".to_owned()),
        (header::LOCATION, format!("/v1/realtime/calls/{id}")),
    ];
    Ok((StatusCode::CREATED, headers, answer).into_response())
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
    pub(crate) fn end_call(&self, id: &str, ending: &Ending) -> bool {
        self.sessions.end_sidebands(id, ending);
        self.calls.remove(id)
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

/// What a call is created from.
struct Offer {
    sdp: String,
    session: Option<Value>,
}

impl Offer {
    async fn read(headers: &HeaderMap, body: Body) -> Result<Self, ApiError> {
        let given = headers
            .get(header::CONTENT_TYPE)
            .and_then(|it| it.to_str().ok());
        let boundary = given.and_then(|given| multer::parse_boundary(given).ok());
        if boundary.is_none() {
            check_content_type(headers, "application/sdp")?;
        }
        let body = axum::body::to_bytes(body, BODY_LIMIT).await;
        let body = body.map_err(|_| ApiError::too_large())?;
        match boundary {
            Some(boundary) => Self::from_parts(body, boundary).await,
            None => {
                let sdp = String::from_utf8_lossy(&body).into_owned();
                Ok(Self { sdp, session: None })
            }
        }
    }

    async fn from_parts(body: bytes::Bytes, boundary: String) -> Result<Self, ApiError> {
        let unreadable = |_| {
            ApiError::bad_request(
                "invalid_multipart",
                "The multipart body could not be parsed.",
            )
        };
        let whole = futures_util::stream::iter([Ok::<_, std::io::Error>(body)]);
        let mut parts = multer::Multipart::new(whole, boundary);
        let (mut sdp, mut session) = (None, None);
        while let Some(part) = parts.next_field().await.map_err(unreadable)? {
            let name = part.name().unwrap_or_default().to_owned();
            let text = part.text().await.map_err(unreadable)?;
            match name.as_str() {
                "sdp" => sdp = Some(text),
                "session" => {
                    let parsed = serde_json::from_str(&text).map_err(|_| ApiError::not_json())?;
                    session = Some(parsed);
                }
                other => return Err(ApiError::unknown_parameter(other)),
            }
        }
        let sdp = sdp.ok_or_else(|| ApiError::missing_parameter("sdp"))?;
        Ok(Self { sdp, session })
    }
}
