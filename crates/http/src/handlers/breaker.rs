//! The upstreams as an operator sees them, and their breakers by hand.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::problem::Problem;
use hallpass_core::{
    audit::Action, code::Code, ids::Subject, permission::Permission, pipeline::AuditSlip,
    refusal::Refusal, request::RequestFacts,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    health::UpstreamReport,
    mint::{Refused, enter},
};
use crate::{
    answer::{ErrorShape, Told, good, refused},
    app::{App, BreakerWish},
    body,
};

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
    let (slip, caller, _) = managing(app, facts, request).await?;
    let list = listing(app);
    match slip.done(Vec::new()).await {
        Ok(()) => Ok((good(StatusCode::OK, &list), caller)),
        Err(refusal) => Err(told(refusal, caller)),
    }
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
        (status = 404, description = "No such upstream", body = Problem<'static>, content_type = "application/problem+json"),
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
    let (slip, caller, request) = managing(app, facts, request).await?;
    let wish = match read(request).await {
        Ok(wish) => wish,
        Err(refusal) => return Err(told(slip.refuse(refusal).await, caller)),
    };
    let known = app
        .health()
        .upstreams()
        .into_iter()
        .any(|it| *it.name == *name);
    if !known {
        let refusal = Refusal::new(
            Code::NotFound,
            "There is no such upstream. GET /api/admin/upstreams lists them.",
        );
        return Err(told(slip.refuse(refusal).await, caller));
    }
    // Recorded first: what can't be recorded is not done.
    let facts = vec![
        ("upstream", name.to_owned()),
        ("breaker", wish.name().to_owned()),
    ];
    if let Err(refusal) = slip.done(facts).await {
        return Err(told(refusal, caller));
    }
    app.health().force_breaker(name, wish.into());
    Ok((good(StatusCode::OK, &listing(app)), caller))
}

/// A request of someone who may manage upstreams.
async fn managing<'a>(
    app: &'a App,
    facts: &Arc<RequestFacts>,
    request: Request,
) -> Result<(AuditSlip<'a>, Subject, Request), Refused> {
    let (parts, body) = request.into_parts();
    let slip = enter(app, facts, &parts.headers, &parts, Action::AdminRequest).await?;
    let caller = slip.caller().subject.clone();
    match slip.require(Permission::UpstreamsManage).await {
        Ok(slip) => Ok((slip, caller, Request::from_parts(parts, body))),
        Err(refusal) => Err(told(refusal, caller)),
    }
}

async fn read(request: Request) -> Result<Wish, Refusal> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(&parts.headers, body).await?;
    let read: Result<ForceRequest, _> = serde_json::from_slice(&bytes);
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

fn told(refusal: Refusal, caller: Subject) -> Refused {
    Refused {
        refusal,
        caller: Some(caller),
    }
}

fn answer(facts: &RequestFacts, result: Result<(Response, Subject), Refused>) -> Response {
    match result {
        Ok((mut response, caller)) => {
            response.extensions_mut().insert(Told {
                caller: Some(caller),
                ..Told::default()
            });
            response
        }
        Err(Refused { refusal, caller }) => {
            refused(ErrorShape::Problem, refusal, &facts.id, caller)
        }
    }
}
