//! The upstreams as an operator sees them, and their breakers by hand.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::problem::Problem;
use hallpass_core::{
    audit::Action, code::Code, ids::Subject, permission::Permission, refusal::Refusal,
    request::RequestFacts,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    admin::{Asked, answer, ask, known},
    health::UpstreamReport,
    mint::Refused,
};
use crate::{
    answer::good,
    app::{App, BreakerWish},
};

/// What these requests are, and who may send them.
const MANAGING: (Action, Permission) = (Action::AdminRequest, Permission::UpstreamsManage);

/// The upstreams.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UpstreamList {
    /// In the order of the configuration.
    data: Vec<UpstreamReport>,
}

/// What a breaker is to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForceRequest {
    /// `open`: ask this upstream no more. `closed`: ask it whatever it answers.
    /// `auto`: start anew and go by its answers.
    state: Wish,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Wish {
    Open,
    Closed,
    Auto,
}

impl Wish {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Auto => "auto",
        }
    }
}

impl From<Wish> for BreakerWish {
    fn from(wish: Wish) -> Self {
        match wish {
            Wish::Open => Self::Open,
            Wish::Closed => Self::Closed,
            Wish::Auto => Self::Auto,
        }
    }
}

/// List the upstreams and their breakers
#[utoipa::path(
    get,
    path = "/api/admin/upstreams",
    tag = "admin",
    responses(
        (status = 200, description = "The upstreams", body = UpstreamList),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail can't be written", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn list_upstreams(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let result = list_known(&app, &facts, request).await;
    answer(&facts, result)
}

async fn list_known(
    app: &App,
    facts: &Arc<RequestFacts>,
    request: Request,
) -> Result<(Response, Subject), Refused> {
    let Asked { slip, caller, .. } = ask(app, facts, request, MANAGING).await?;
    let list = listing(app);
    let done = slip.done(Vec::new()).await;
    known(caller, done.map(|()| good(StatusCode::OK, &list)))
}

/// Hold a breaker open or closed, or let it go
///
/// What is forced stays so until it is let go or the server restarts.
#[utoipa::path(
    post,
    path = "/api/admin/upstreams/{name}/breaker",
    tag = "admin",
    params(("name" = String, Path, description = "The upstream's name in the configuration")),
    request_body = ForceRequest,
    responses(
        (status = 200, description = "The upstreams as they are now", body = UpstreamList),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 408, description = "The body came too slowly", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 413, description = "Body over 64 KiB", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 415, description = "Body not JSON", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such upstream", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail can't be written", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn force_breaker(
    State(app): State<App>,
    Path(name): Path<String>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let result = force_known(&app, &facts, &name, request).await;
    answer(&facts, result)
}

async fn force_known(
    app: &App,
    facts: &Arc<RequestFacts>,
    name: &str,
    request: Request,
) -> Result<(Response, Subject), Refused> {
    let asked = ask(app, facts, request, MANAGING).await?;
    let caller = asked.caller.clone();
    known(caller, force(app, name, asked).await)
}

async fn force(app: &App, name: &str, asked: Asked<'_>) -> Result<Response, Refusal> {
    let (slip, wish) = asked.read(|body| read(body)).await?;
    let upstreams = app.health().upstreams();
    if !upstreams.iter().any(|upstream| *upstream.name == *name) {
        let refusal = Refusal::new(
            Code::NotFound,
            "There is no such upstream. GET /api/admin/upstreams lists them.",
        );
        return Err(slip.refuse(refusal).await);
    }
    // Recorded first: what can't be recorded is not done.
    let facts = vec![
        ("upstream", name.to_owned()),
        ("breaker", wish.name().to_owned()),
    ];
    slip.done(facts).await?;
    app.health().force_breaker(name, wish.into());
    Ok(good(StatusCode::OK, &listing(app)))
}

fn read(body: &[u8]) -> Result<Wish, Refusal> {
    let read: Result<ForceRequest, _> = serde_json::from_slice(body);
    read.map(|request| request.state).map_err(|_| {
        Refusal::new(
            Code::InvalidMember,
            "Send {\"state\": \"open\"}, {\"state\": \"closed\"} or {\"state\": \"auto\"}.",
        )
        .member("state")
    })
}

fn listing(app: &App) -> UpstreamList {
    let upstreams = app.health().upstreams();
    UpstreamList {
        data: upstreams.iter().map(UpstreamReport::of).collect(),
    }
}
