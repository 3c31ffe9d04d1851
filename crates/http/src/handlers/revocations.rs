//! Revocations: list, add and lift them.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::{
    life::{
        RevocationAnswer, RevocationList, RevocationRequest, WithdrawalAnswer, read_revocation,
    },
    problem::Problem,
};
use hallpass_core::{
    audit::Action, permission::Permission, refusal::Refusal, request::RequestFacts,
};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::admin::{Asked, answer, ask, known, store_refused};
use crate::{
    answer::good,
    app::App,
    query::{self, Known},
};

/// Most revocations one list gives.
const MAX_LIST: usize = 1_000;

/// What may be asked.
const PARAMETERS: Known = &[("lifted", "\"true\" or \"false\"")];

/// Which revocations are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RevocationQuery {
    /// `true`: lifted ones too.
    #[serde(default)]
    lifted: bool,
}

/// Revoke
///
/// Ends what a subject, an interview, an API key, a profile, a lineage, one
/// grant, everything before a time, or everything holds, and keeps it from
/// getting more until lifted. In force for every request that begins after the
/// answer. The same again answers 200 with the id of the one in force.
#[utoipa::path(
    post,
    path = "/api/admin/revocations",
    tag = "admin",
    request_body(content = RevocationRequest),
    responses(
        (status = 201, description = "What it did", body = WithdrawalAnswer),
        (status = 200, description = "It was in force before", body = WithdrawalAnswer),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail or the store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn add(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let may = (Action::RevocationAdd, Permission::SessionsManage);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), add_known(asked).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn add_known(asked: Asked<'_>) -> Result<Response, Refusal> {
    let (slip, (scope, reason)) = asked.read(|body| read_revocation(body)).await?;
    let withdrawal = slip.revoke(scope, reason).await?;
    let status = match withdrawal.is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok(good(status, &WithdrawalAnswer::from(&withdrawal)))
}

/// List revocations
///
/// Those in force, newest first; with `lifted=true` those of history too.
#[utoipa::path(
    get,
    path = "/api/admin/revocations",
    tag = "admin",
    params(RevocationQuery),
    responses(
        (status = 200, description = "The revocations", body = RevocationList),
        (status = 400, description = "A parameter is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail or a store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn list(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let may = (Action::AdminRequest, Permission::SessionsRead);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), list_known(&app, asked).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn list_known(app: &App, asked: Asked<'_>) -> Result<Response, Refusal> {
    let query = match query::read::<RevocationQuery>(asked.uri(), PARAMETERS) {
        Ok(query) => query,
        Err(refusal) => return Err(asked.slip.refuse(refusal).await),
    };
    let listed = app
        .broker()
        .revocations()
        .list(query.lifted, MAX_LIST)
        .await;
    let revocations = match listed {
        Ok(revocations) => revocations,
        Err(error) => return Err(asked.slip.refuse(store_refused(&error)).await),
    };
    let facts = vec![("count", revocations.len().to_string())];
    asked.slip.done(facts).await?;
    let data = revocations.iter().map(RevocationAnswer::from).collect();
    Ok(good(StatusCode::OK, &RevocationList { data }))
}

/// Lift a revocation
///
/// What it reached may ask again; grants it revoked stay revoked. It stays in
/// history.
#[utoipa::path(
    post,
    path = "/api/admin/revocations/{id}/lift",
    tag = "admin",
    params(("id" = String, Path, description = "The revocation's id")),
    responses(
        (status = 200, description = "The revocation", body = RevocationAnswer),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such revocation", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail or the store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn lift(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let may = (Action::RevocationLift, Permission::SessionsManage);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), lift_known(asked, &id).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn lift_known(asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let revocation = asked.slip.lift(id).await?;
    Ok(good(StatusCode::OK, &RevocationAnswer::from(&revocation)))
}
