//! The next secret of a lineage.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use bytes::Bytes;
use hallpass_api::{
    answer::ClientSecretAnswer,
    life::{RefreshRequest, read_refresh},
    problem::Problem,
};
use hallpass_core::{
    audit::Action, permission::Permission, refusal::Refusal, request::RequestFacts,
};
use hallpass_telemetry::traces::step;
use http::StatusCode;

use super::{
    admin::{Asked, ask},
    mint::{self, Given, Refused, give_again, obtain},
};
use crate::{
    answer::{ErrorShape, good},
    app::App,
    door::Place,
    idempotency,
    replay::Turn,
};

/// Refresh a client secret
///
/// Answers with the next secret of the grant's lineage, from `refresh_after`
/// until shortly after its end. Caller, role, limits and revocations are
/// checked anew; the old grant is superseded and can't be refreshed again. Of
/// two requests at once one is answered; with one `Idempotency-Key`, both are,
/// with the same secret.
#[utoipa::path(
    post,
    path = "/api/client-secrets/{id}/refresh",
    tag = "client secrets",
    params(
        ("id" = String, Path, description = "The grant's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key and body within 30 seconds get the same secret"),
    ),
    request_body(content = RefreshRequest, description = "Every member is optional."),
    responses(
        (status = 201, description = "The next secret", body = ClientSecretAnswer<'static>),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed, or revoked", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such grant, or another caller's", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 409, description = "Too early, being refreshed by another request, or refreshed before", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 410, description = "Too late, or the lineage is over", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key was used for another request", body = Problem<'static>, content_type = "application/problem+json"),
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
    let mut place = mint::place(app).await?;
    let may = (Action::GrantRefresh, Permission::GrantsCreate);
    let asked = ask(app, facts, request, may).await?;
    let caller = Some(asked.caller.clone());
    let given = refresh_known(app, asked, id, &mut place).await;
    given.map_err(|refusal| Refused { refusal, caller })
}

async fn refresh_known(
    app: &App,
    asked: Asked<'_>,
    id: &str,
    place: &mut Place<'_>,
) -> Result<Given, Refusal> {
    let named = idempotency::key(asked.headers(), asked.slip.caller());
    let named = match named {
        Ok(named) => named,
        Err(refusal) => return Err(asked.slip.refuse(refusal).await),
    };
    let of = |body: &[u8]| app.fingerprints().of(id, body);
    let read = |body: &Bytes| Ok((read_refresh(body)?, of(body)));
    let (slip, (ask, fingerprint)) = asked.read_aside(place, read).await?;
    let (slip, grant) = slip.own_grant(id).await?;
    let Some(key) = named else {
        let permit = step("authorise", slip.refresh(&grant, ask)).await?;
        return obtain(permit).await.map(Given::new);
    };
    let turn = match place.aside(app.replays().turn(&key, fingerprint)).await {
        Ok(turn) => turn,
        Err(refusal) => return Err(slip.refuse(refusal).await),
    };
    match turn {
        Turn::First(first) => {
            let issued = match step("authorise", slip.refresh(&grant, ask)).await {
                Ok(permit) => obtain(permit).await,
                Err(refusal) => Err(refusal),
            };
            let issued = issued.map(Arc::new);
            first.answer(&issued, mint::life(app, &issued));
            issued.map(Given::new)
        }
        Turn::Again(Ok(issued)) => give_again(slip, issued).await,
        Turn::Again(Err(refusal)) => Err(slip.refuse(refusal).await),
        Turn::Other => Err(slip.refuse(idempotency::conflict()).await),
    }
}
