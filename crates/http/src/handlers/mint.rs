//! The three ways to ask for a client secret; one way through the pipeline.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use hallpass_api::{
    answer::{ClientSecretAnswer, DropInAnswer, RealtimeTokenAnswer},
    mint::{self, DropInRequest, MintRequest},
    openai::Envelope,
    problem::Problem,
};
use hallpass_core::{
    audit::Action,
    grant::Mode,
    ids::Subject,
    pipeline::{AuditSlip, Issued, Permit},
    policy::MintAsk,
    refusal::Refusal,
    request::RequestFacts,
};
use hallpass_telemetry::traces::step;
use http::{HeaderMap, HeaderValue, StatusCode, request::Parts};

use crate::{
    answer::{ErrorShape, Told, good, refused},
    app::App,
    body, credentials,
    door::Place,
    idempotency, limit_headers,
    observe::Entrance,
    replay::{Shared, Turn},
};

/// Reads what is asked for from a body.
pub(crate) type Read = fn(&[u8]) -> Result<MintAsk, Refusal>;

/// Issue a client secret
///
/// Authenticates the caller, applies the profile and its limits, asks OpenAI
/// for a client secret and answers with it once its audit record is durable.
#[utoipa::path(
    post,
    path = "/api/generate-client-secret",
    operation_id = "create_client_secret",
    tag = "client secrets",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body within 30 seconds get the same secret")),
    request_body(content = MintRequest, description = "Every member is optional."),
    responses(
        (status = 201, description = "The secret", body = ClientSecretAnswer<'static>),
        (status = 400, description = "A member is missing, unknown or wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 408, description = "The body came too slowly", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 413, description = "Body over 64 KiB", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 415, description = "Body not JSON", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key was used for another request", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 429, description = "A limit is reached", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 502, description = "OpenAI's answer can't be used, or it refused the profile", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "OpenAI, the trail or a store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 504, description = "OpenAI did not answer in time", body = Problem<'static>, content_type = "application/problem+json"),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn generate(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let issued = issue(&app, &facts, request, mint::read_mint).await;
    answer(&app, &facts, ErrorShape::Problem, issued, |issued| {
        good(StatusCode::CREATED, &ClientSecretAnswer::new(issued))
    })
}

/// Issue a realtime token for an interview
///
/// The same as `/api/generate-client-secret` with the members interview pages
/// read: `token` and `expiresAt`.
#[utoipa::path(
    post,
    path = "/api/interview/realtime-token",
    operation_id = "create_interview_token",
    tag = "client secrets",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body within 30 seconds get the same secret")),
    request_body(content = MintRequest, description = "Every member is optional."),
    responses(
        (status = 200, description = "The token", body = RealtimeTokenAnswer<'static>),
        (status = 400, description = "A member is missing, unknown or wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential; `error` is \"Unauthorized\"", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 408, description = "The body came too slowly", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 413, description = "Body over 64 KiB", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 415, description = "Body not JSON", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key was used for another request", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 429, description = "A limit is reached", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 500, description = "A defect of the server; `error` is \"Failed to generate token\", as for every 5xx", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 502, description = "OpenAI's answer can't be used, or it refused the profile", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "OpenAI, the trail or a store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 504, description = "OpenAI did not answer in time", body = Problem<'static>, content_type = "application/problem+json"),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn interview(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let issued = issue(&app, &facts, request, mint::read_interview).await;
    answer(&app, &facts, ErrorShape::Interview, issued, |issued| {
        good(StatusCode::OK, &RealtimeTokenAnswer::new(issued))
    })
}

/// Issue a client secret in OpenAI's own shape
///
/// For OpenAI's SDKs: `realtime.clientSecrets.create` works with only its base
/// URL changed. The session's type and model choose the profile.
#[utoipa::path(
    post,
    path = "/v1/realtime/client_secrets",
    operation_id = "create_drop_in_client_secret",
    tag = "drop-in",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body within 30 seconds get the same secret")),
    request_body(content = DropInRequest, description = "As OpenAI documents it."),
    responses(
        (status = 200, description = "The secret", body = DropInAnswer<'static>),
        (status = 400, description = "A member is missing, unknown or wrong", body = Envelope<'static>),
        (status = 401, description = "No good credential", body = Envelope<'static>),
        (status = 403, description = "Not allowed", body = Envelope<'static>),
        (status = 408, description = "The body came too slowly", body = Envelope<'static>),
        (status = 413, description = "Body over 64 KiB", body = Envelope<'static>),
        (status = 415, description = "Body not JSON", body = Envelope<'static>),
        (status = 422, description = "The Idempotency-Key was used for another request", body = Envelope<'static>),
        (status = 429, description = "A limit is reached", body = Envelope<'static>, headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 500, description = "A defect of the server", body = Envelope<'static>),
        (status = 502, description = "OpenAI's answer can't be used, or it refused the profile", body = Envelope<'static>),
        (status = 503, description = "OpenAI, the trail or a store is away", body = Envelope<'static>, headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 504, description = "OpenAI did not answer in time", body = Envelope<'static>),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn drop_in(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let issued = issue(&app, &facts, request, mint::read_drop_in).await;
    answer(&app, &facts, ErrorShape::OpenAi, issued, |issued| {
        good(StatusCode::OK, &DropInAnswer::new(issued))
    })
}

/// A refusal, with whom it was given to, where that is known.
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) caller: Option<Subject>,
}

/// A secret, and whether it was given before.
pub(crate) struct Given {
    issued: Arc<Issued>,
    replayed: bool,
}

impl Given {
    /// A secret that is given for the first time.
    pub(crate) fn new(issued: impl Into<Arc<Issued>>) -> Self {
        Self {
            issued: issued.into(),
            replayed: false,
        }
    }
}

/// The way of a request through the pipeline.
pub(crate) async fn issue(
    app: &App,
    facts: &Arc<RequestFacts>,
    request: Request,
    read: Read,
) -> Result<Given, Refused> {
    let mut place = place(app).await?;
    let (parts, body) = request.into_parts();
    let slip = enter(app, facts, &parts.headers, &parts, Action::GrantCreate).await?;
    let caller = slip.caller().subject.clone();
    let asked = Asked {
        parts: &parts,
        body,
        route: facts.route,
        read,
    };
    issue_known(app, slip, asked, &mut place)
        .await
        .map_err(|refusal| Refused {
            refusal,
            caller: Some(caller),
        })
}

/// A place among the mints under way.
pub(crate) async fn place(app: &App) -> Result<Place<'_>, Refused> {
    let entered = step("wait for a place", app.door().enter()).await;
    entered.map_err(|refusal| Refused {
        refusal,
        caller: None,
    })
}

/// How a request asks.
struct Asked<'a> {
    parts: &'a Parts,
    body: Body,
    route: &'static str,
    read: Read,
}

async fn issue_known(
    app: &App,
    slip: AuditSlip<'_>,
    asked: Asked<'_>,
    place: &mut Place<'_>,
) -> Result<Given, Refusal> {
    let headers = &asked.parts.headers;
    let named = match idempotency::key(headers, slip.caller()) {
        Ok(named) => named,
        Err(refusal) => return Err(Box::pin(slip.refuse(refusal)).await),
    };
    let bytes = place.aside(body::read(headers, asked.body)).await;
    let ask = bytes.flatten();
    let ask = ask.and_then(|bytes| Ok(((asked.read)(&bytes)?, bytes)));
    let (ask, bytes) = match ask {
        Ok(ask) => ask,
        Err(refusal) => return Err(Box::pin(slip.refuse(refusal)).await),
    };
    let permit = step("authorise", slip.authorise(&ask)).await?;
    let Some(key) = named else {
        return obtain(permit).await.map(Given::new);
    };
    let fingerprint = app.fingerprints().of(asked.route, &bytes);
    let turn = place.aside(app.replays().turn(&key, fingerprint)).await;
    let turn = match turn {
        Ok(turn) => turn,
        Err(refusal) => return Err(Box::pin(permit.into_slip().refuse(refusal)).await),
    };
    match turn {
        Turn::First(first) => {
            let issued = obtain(permit).await.map(Arc::new);
            first.answer(&issued, life(app, &issued));
            issued.map(Given::new)
        }
        Turn::Again(Ok(issued)) => Box::pin(give_again(permit.into_slip(), issued)).await,
        Turn::Again(Err(refusal)) => Err(Box::pin(permit.into_slip().refuse(refusal)).await),
        Turn::Other => Err(Box::pin(permit.into_slip().refuse(idempotency::conflict())).await),
    }
}

/// How long a secret is good from now on.
pub(crate) fn life(app: &App, issued: &Shared<Issued>) -> Duration {
    let Ok(issued) = issued else {
        return Duration::ZERO;
    };
    let left = issued
        .grant()
        .expires_at
        .duration_since(app.broker().clock().now());
    left.try_into().unwrap_or_default()
}

/// Gives a secret a second time; no limit is taken and nobody is asked.
pub(crate) async fn give_again(slip: AuditSlip<'_>, issued: Arc<Issued>) -> Result<Given, Refusal> {
    let facts = vec![
        ("replayed", "true".to_owned()),
        ("replayed_grant", issued.grant().id.to_string()),
    ];
    let slip = slip.may_repeat(&issued).await?;
    slip.done(facts).await?;
    Ok(Given {
        issued,
        replayed: true,
    })
}

pub(crate) async fn obtain(permit: Permit<'_>) -> Result<Issued, Refusal> {
    // Pinned where they are made: they are large, and would be moved into the step.
    let admission = step("admit", pin!(permit.admit())).await?;
    let minted = step("mint", pin!(admission.mint())).await?;
    let recorded = step("record grant", pin!(minted.record())).await?;
    step("close audit", pin!(recorded.close_audit())).await
}

/// Authenticates a request and opens its audit slip.
pub(crate) async fn enter<'a>(
    app: &'a App,
    facts: &Arc<RequestFacts>,
    headers: &HeaderMap,
    parts: &Parts,
    action: Action,
) -> Result<AuditSlip<'a>, Refused> {
    let entrance = parts.extensions.get::<Entrance>();
    let surface = entrance.map(|entrance| entrance.surface);
    let presented = credentials::presented(headers, facts.address, surface);
    if let Some(entrance) = entrance {
        entrance.note_looked_at();
    }
    let guard = app.guard();
    let known = guard.authenticate(app.broker(), facts, &presented);
    let known = step("authenticate", known).await;
    let known = known.map_err(|refusal| Refused {
        refusal,
        caller: None,
    })?;
    let scheme = known.caller().scheme;
    let slip = known.open_audit(action);
    match app.origins().defend(scheme, &parts.method, headers) {
        Ok(()) => Ok(slip),
        Err(refusal) => {
            let caller = Some(slip.caller().subject.clone());
            Err(Refused {
                refusal: Box::pin(slip.refuse(refusal)).await,
                caller,
            })
        }
    }
}

pub(crate) fn answer(
    app: &App,
    facts: &RequestFacts,
    shape: ErrorShape,
    issued: Result<Given, Refused>,
    good: impl FnOnce(&Issued) -> Response,
) -> Response {
    match issued {
        Ok(Given { issued, replayed }) => {
            let grant = issued.grant();
            let outcome = if replayed { "replayed" } else { "success" };
            app.metrics().mint.finished(grant.profile.as_str(), outcome);
            if grant.mode != Mode::Direct {
                app.traces().made(grant.id.as_str());
            }
            let mut response = good(&issued);
            if replayed {
                let yes = HeaderValue::from_static("true");
                response.headers_mut().insert(idempotency::REPLAYED, yes);
            }
            limit_headers::write(response.headers_mut(), issued.limits());
            response.extensions_mut().insert(Told {
                caller: Some(grant.subject.clone()),
                grant: Some(grant.id.clone()),
                ..Told::default()
            });
            response
        }
        Err(Refused { refusal, caller }) => {
            app.metrics().mint.finished("", refusal.code.as_str());
            if refusal.code.is_own_failure() {
                app.health().mint_failed(refusal.code);
            }
            refused(shape, refusal, &facts.id, caller)
        }
    }
}
