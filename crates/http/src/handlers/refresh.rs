//! The next secret of a lineage.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::{
    answer::ClientSecretAnswer,
    life::{RefreshRequest, read_refresh},
    problem::Problem,
};
use hallpass_core::{
    audit::Action, permission::Permission, pipeline::Issued, refusal::Refusal,
    request::RequestFacts,
};
use http::StatusCode;

use super::{
    admin::{Asked, ask},
    mint::{self, Given, Refused},
};
use crate::{
    answer::{ErrorShape, good},
    app::App,
};

/// Refresh a client secret
///
/// Answers with the next secret of the grant's lineage, from `refresh_after`
/// until shortly after its end. Caller, role, limits and revocations are
/// checked anew; the old grant is superseded and can't be refreshed again.
#[utoipa::path(
    post,
    path = "/api/client-secrets/{id}/refresh",
    tag = "client secrets",
    params(("id" = String, Path, description = "The grant's id")),
    request_body(content = RefreshRequest, description = "Every member is optional."),
    responses(
        (status = 201, description = "The next secret", body = ClientSecretAnswer<'static>),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, or revoked", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such grant, or another caller's", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 409, description = "Too early, or refreshed before", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 410, description = "Too late, or the lineage is over", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 429, description = "A limit is reached", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "OpenAI, the trail or a store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn refresh(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let issued = issue(&app, &facts, &id, request).await;
    mint::answer(&app, &facts, ErrorShape::Problem, issued, |issued| {
        good(StatusCode::CREATED, &ClientSecretAnswer::new(issued))
    })
}

async fn issue(
    app: &App,
    facts: &Arc<RequestFacts>,
    id: &str,
    request: Request,
) -> Result<Given, Refused> {
    let entered = app.door().enter().await;
    let _place = entered.map_err(|refusal| Refused {
        refusal,
        caller: None,
    })?;
    let may = (Action::GrantRefresh, Permission::GrantsCreate);
    let asked = ask(app, facts, request, may).await?;
    let caller = Some(asked.caller.clone());
    let issued = refresh_known(asked, id).await;
    issued
        .map(Given::new)
        .map_err(|refusal| Refused { refusal, caller })
}

async fn refresh_known(asked: Asked<'_>, id: &str) -> Result<Issued, Refusal> {
    let (slip, ask) = asked.read(|body| read_refresh(body)).await?;
    let (slip, grant) = slip.own_grant(id).await?;
    let permit = slip.refresh(grant, ask).await?;
    let admission = permit.admit().await?;
    let minted = admission.mint().await?;
    let recorded = minted.record().await?;
    recorded.close_audit().await
}
