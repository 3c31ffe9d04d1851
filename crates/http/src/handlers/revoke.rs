//! Revokes one grant: one's own on the public listener, anyone's on the admin one.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::{
    life::{RevokeRequest, RevokedGrantAnswer, read_revoke},
    problem::Problem,
};
use hallpass_core::{
    audit::Action, permission::Permission, refusal::Refusal, request::RequestFacts,
};
use http::StatusCode;

use super::admin::{Asked, answer, ask, known};
use crate::{answer::good, app::App};

/// Revoke one of one's own grants
///
/// It can't be refreshed any more. A secret of mode `direct` opens sessions at
/// OpenAI until its time is over; the answer says until when. Revoking twice
/// does nothing more.
#[utoipa::path(
    post,
    path = "/api/client-secrets/{id}/revoke",
    tag = "client secrets",
    params(("id" = String, Path, description = "The grant's id")),
    request_body(content = RevokeRequest, description = "Every member is optional."),
    responses(
        (status = 200, description = "What it did", body = RevokedGrantAnswer),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such grant, or another caller's", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail or the store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn revoke_own(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    revoke(&app, &facts, &id, request, Permission::GrantsRevokeOwn).await
}

/// Revoke anyone's grant
#[utoipa::path(
    post,
    path = "/api/admin/grants/{id}/revoke",
    tag = "admin",
    params(("id" = String, Path, description = "The grant's id")),
    request_body(content = RevokeRequest, description = "Every member is optional."),
    responses(
        (status = 200, description = "What it did", body = RevokedGrantAnswer),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such grant", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail or the store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn revoke_any(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    revoke(&app, &facts, &id, request, Permission::GrantsRevokeAny).await
}

async fn revoke(
    app: &App,
    facts: &Arc<RequestFacts>,
    id: &str,
    request: Request,
    permission: Permission,
) -> Response {
    let may = (Action::GrantRevoke, permission);
    let result = match ask(app, facts, request, may).await {
        Ok(asked) => known(
            asked.caller.clone(),
            revoke_known(asked, id, permission).await,
        ),
        Err(refused) => Err(refused),
    };
    answer(facts, result)
}

async fn revoke_known(
    asked: Asked<'_>,
    id: &str,
    permission: Permission,
) -> Result<Response, Refusal> {
    let (slip, reason) = asked.read(|body| read_revoke(body)).await?;
    let (slip, grant) = match permission {
        Permission::GrantsRevokeAny => slip.any_grant(id).await?,
        _ => slip.own_grant(id).await?,
    };
    let (grant, withdrawal) = slip.revoke_grant(grant, reason).await?;
    Ok(good(
        StatusCode::OK,
        &RevokedGrantAnswer::new(&grant, &withdrawal),
    ))
}
