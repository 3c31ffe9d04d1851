//! What a page reports of its session; kept as reported, not as true.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::{
    answer::GrantAnswer,
    problem::Problem,
    report::{ReportRequest, read_report},
};
use hallpass_core::{
    audit::Action, permission::Permission, refusal::Refusal, request::RequestFacts,
};
use http::StatusCode;

use super::admin::{Asked, answer, ask, known};
use crate::{answer::good, app::App};

/// Report what became of a client secret
///
/// `connected` and `disconnected` move the grant on; `usage` is kept with the
/// mark that the page reported it.
#[utoipa::path(
    post,
    path = "/api/client-secrets/{id}/events",
    tag = "client secrets",
    params(("id" = String, Path, description = "The grant's id")),
    request_body(content = ReportRequest),
    responses(
        (status = 200, description = "The grant as it is now", body = GrantAnswer),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such grant, or another caller's", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 429, description = "Reports come too fast", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail or the store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn report(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let may = (Action::GrantReport, Permission::GrantsCreate);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), report_known(&app, asked, &id).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn report_known(app: &App, asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let (slip, report) = asked.read(|body| read_report(body)).await?;
    let (slip, grant) = slip.own_grant(id).await?;
    let grant = slip
        .reported(grant, report.event, report.usage, report.facts)
        .await?;
    let now = app.broker().clock().now();
    Ok(good(StatusCode::OK, &GrantAnswer::at(&grant, now)))
}
