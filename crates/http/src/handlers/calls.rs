//! A browser's WebRTC call: its offer in, OpenAI's answer out.

mod offer;

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Query, Request, State},
    response::Response,
};
use hallpass_api::openai::Envelope;
use hallpass_core::{audit::Action, code::Code, refusal::Refusal, request::RequestFacts};
use hallpass_relay::call::{AnsweredCall, CallAsk};
use hallpass_telemetry::traces::step;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use utoipa::ToSchema;

use crate::{
    answer::{ErrorShape, refused},
    app::App,
};
use offer::Offer;

/// An offer with its session beside it.
#[derive(ToSchema)]
#[allow(
    dead_code,
    reason = "for the document; the body is read member by member"
)]
pub(crate) struct CallRequest {
    /// The SDP offer.
    sdp: String,
    /// At most `type` and `model`, as the secret has them; the rest of the
    /// session is the secret's.
    session: Option<serde_json::Value>,
}

/// Make a WebRTC call
///
/// For OpenAI's SDKs and plain `fetch`: the offer as `application/sdp`, with a
/// client secret of mode `call` as bearer. Hallpass makes the call with the
/// standard key and the secret's session, watches it, and can end it. Media
/// goes from the browser to OpenAI.
#[utoipa::path(
    post,
    path = "/v1/realtime/calls",
    operation_id = "create_call",
    tag = "drop-in",
    params(
        ("model" = Option<String>, Query, description = "The secret's own model, or nothing"),
        ("dcid" = Option<u16>, Query, description = "The id of a data channel that was negotiated beforehand"),
    ),
    request_body(
        description = "The offer, alone or with a session that repeats the secret's",
        content(
            (String = "application/sdp"),
            (CallRequest = "application/json"),
            (CallRequest = "multipart/form-data"),
        )
    ),
    responses(
        (status = 201, description = "The SDP answer", body = String, content_type = "application/sdp", headers(("location" = String, description = "/v1/realtime/calls/ and our id of the call"))),
        (status = 400, description = "No SDP offer, or a member is wrong", body = Envelope<'static>),
        (status = 401, description = "No good client secret, or one that was used", body = Envelope<'static>),
        (status = 403, description = "Revoked, or not for a call", body = Envelope<'static>),
        (status = 408, description = "The body came too slowly", body = Envelope<'static>),
        (status = 413, description = "Body over 64 KiB", body = Envelope<'static>),
        (status = 415, description = "Body neither SDP nor JSON nor a form", body = Envelope<'static>),
        (status = 429, description = "A limit or a budget is reached", body = Envelope<'static>, headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 500, description = "A defect of the server", body = Envelope<'static>),
        (status = 502, description = "OpenAI's answer can't be used, or it refused the profile", body = Envelope<'static>),
        (status = 503, description = "OpenAI, the trail or a store is away", body = Envelope<'static>, headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 504, description = "OpenAI did not answer in time", body = Envelope<'static>),
    ),
    security(("client_secret" = [])),
)]
pub(crate) async fn create_call(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    match call(&app, &facts, &parts, body).await {
        Ok(answered) => good(&answered),
        Err(refusal) => refused(ErrorShape::OpenAi, refusal, &facts.id, None),
    }
}

async fn call(
    app: &App,
    facts: &Arc<RequestFacts>,
    parts: &Parts,
    body: Body,
) -> Result<AnsweredCall, Refusal> {
    let _place = app.door().enter().await?;
    let ask = match read(parts, body).await {
        Ok(ask) => ask,
        Err(refusal) => {
            let broker = app.broker();
            let action = Action::SessionStart;
            return Err(broker.refuse(facts.clone(), action, refusal).await);
        }
    };
    match app.calls() {
        Some(desk) => step("make call", desk.call(facts.clone(), ask)).await,
        None => {
            let text = "This server makes no calls.";
            let refusal = Refusal::new(Code::ModeUnavailable, text);
            let broker = app.broker();
            Err(broker
                .refuse(facts.clone(), Action::SessionStart, refusal)
                .await)
        }
    }
}

/// The secret is looked at first: who has none sends no body.
async fn read(parts: &Parts, body: Body) -> Result<CallAsk, Refusal> {
    let token = bearer(&parts.headers)?;
    let (named, channel_id) = query(parts)?;
    let offer = Offer::read(&parts.headers, body).await?;
    let model = match (offer.model, named) {
        (Some(one), Some(two)) if one != two => return Err(two_models()),
        (one, two) => one.or(two),
    };
    Ok(CallAsk {
        token,
        offer: offer.sdp,
        model,
        channel_id,
    })
}

fn bearer(headers: &HeaderMap) -> Result<String, Refusal> {
    let missing = || {
        Refusal::new(
            Code::MissingCredential,
            "Send the client secret as \"Authorization: Bearer ek_…\".",
        )
    };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or_else(missing)?;
    let bad = || {
        Refusal::new(
            Code::InvalidCredential,
            "The secret is not valid here. Ask for another.",
        )
    };
    let text = value.to_str().map_err(|_| bad())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(bad)?;
    if values.next().is_some() || !scheme.eq_ignore_ascii_case("bearer") {
        return Err(bad());
    }
    Ok(token.trim().to_owned())
}

fn query(parts: &Parts) -> Result<(Option<String>, Option<u16>), Refusal> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    let Query(pairs) = pairs.map_err(|_| wrong("query", "The query can't be read."))?;
    let value = |name: &str| {
        let mut found = pairs.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.clone())
    };
    let id = value("dcid").map(|id| id.parse());
    let id = id.transpose().map_err(|_| {
        wrong(
            "dcid",
            "\"dcid\" must be the id of a data channel: 0 to 65535.",
        )
    })?;
    Ok((value("model"), id))
}

fn two_models() -> Refusal {
    wrong("model", "The query and the session name different models.")
}

/// A member, named as the caller wrote it, is wrong.
fn wrong(member: &'static str, text: &'static str) -> Refusal {
    Refusal::new(Code::InvalidMember, text).member(member)
}

fn good(answered: &AnsweredCall) -> Response {
    let mut response = Response::new(Body::from(answered.answer.clone()));
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    let sdp = HeaderValue::from_static("application/sdp");
    headers.insert(header::CONTENT_TYPE, sdp);
    let location = format!("/v1/realtime/calls/{}", answered.session);
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(header::LOCATION, location);
    }
    response
}
