//! Reads grants: one's own on the public listener, anyone's on the admin one.

mod query;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::{
    answer::{GrantAnswer, GrantPage},
    problem::Problem,
};
use hallpass_core::{
    Timestamp,
    audit::Action,
    code::Code,
    grant::Grant,
    ids::{GrantId, Subject},
    permission::Permission,
    pipeline::AuditSlip,
    ports::{GrantFilter, StoreError},
    refusal::Refusal,
    request::RequestFacts,
};
use http::StatusCode;

use self::query::{GrantQuery, PARAMETERS};
use super::mint::{Refused, enter};
use crate::{
    answer::{ErrorShape, Told, good, refused},
    app::App,
    query::read,
};

/// List one's own grants
///
/// Newest first; never the secrets.
#[utoipa::path(
    get,
    path = "/api/client-secrets",
    operation_id = "list_own_grants",
    tag = "client secrets",
    params(GrantQuery),
    responses(
        (status = 200, description = "A page of grants", body = GrantPage),
        (status = 400, description = "A parameter is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The registry or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn list_own(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let result = list(&app, &facts, request, Reach::Own).await;
    answer(&facts, result)
}

/// List anyone's grants
#[utoipa::path(
    get,
    path = "/api/admin/grants",
    operation_id = "list_grants",
    tag = "admin",
    params(GrantQuery),
    responses(
        (status = 200, description = "A page of grants", body = GrantPage),
        (status = 400, description = "A parameter is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The registry or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn list_any(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let result = list(&app, &facts, request, Reach::Any).await;
    answer(&facts, result)
}

/// Show one of one's own grants
#[utoipa::path(
    get,
    path = "/api/client-secrets/{id}",
    operation_id = "show_own_grant",
    tag = "client secrets",
    params(("id" = String, Path, description = "The grant's id", example = "gr_0f3b5c6d7e8f90123456789abcdef012")),
    responses(
        (status = 200, description = "The grant", body = GrantAnswer),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such grant, or another caller's", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The registry or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn show_own(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let result = show(&app, &facts, &id, request, Reach::Own).await;
    answer(&facts, result)
}

/// Show anyone's grant
#[utoipa::path(
    get,
    path = "/api/admin/grants/{id}",
    operation_id = "show_grant",
    tag = "admin",
    params(("id" = String, Path, description = "The grant's id", example = "gr_0f3b5c6d7e8f90123456789abcdef012")),
    responses(
        (status = 200, description = "The grant", body = GrantAnswer),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such grant", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The registry or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn show_any(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let result = show(&app, &facts, &id, request, Reach::Any).await;
    answer(&facts, result)
}

/// Whose grants a route reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Own,
    Any,
}

impl Reach {
    const fn permission(self) -> Permission {
        match self {
            Self::Own => Permission::GrantsReadOwn,
            Self::Any => Permission::GrantsReadAny,
        }
    }

    /// Whose grants alone are read.
    fn own(self, caller: &Subject) -> Option<&Subject> {
        (self == Self::Own).then_some(caller)
    }

    fn answer(self, grant: &Grant, now: Timestamp) -> GrantAnswer {
        match self {
            Self::Own => GrantAnswer::at(grant, now),
            Self::Any => GrantAnswer::in_full(grant, now),
        }
    }
}

/// A good answer and who gets it.
struct Read {
    response: Response,
    caller: Subject,
}

async fn list(
    app: &App,
    facts: &Arc<RequestFacts>,
    request: Request,
    reach: Reach,
) -> Result<Read, Refused> {
    let (parts, _) = request.into_parts();
    let slip = enter(app, facts, &parts.headers, &parts, Action::GrantRead).await?;
    let caller = slip.caller().subject.clone();
    let filter = read::<GrantQuery>(&parts.uri, PARAMETERS)
        .and_then(|query| query.filter(reach.own(&caller), app.broker().clock().now()));
    let done = list_known(app, slip, filter, reach).await;
    done.map(|response| Read {
        response,
        caller: caller.clone(),
    })
    .map_err(|refusal| Refused {
        refusal,
        caller: Some(caller),
    })
}

async fn list_known(
    app: &App,
    slip: AuditSlip<'_>,
    filter: Result<GrantFilter, Refusal>,
    reach: Reach,
) -> Result<Response, Refusal> {
    let slip = slip.require(reach.permission()).await?;
    let filter = match filter {
        Ok(filter) => filter,
        Err(refusal) => return Err(slip.refuse(refusal).await),
    };
    // One more than asked for tells whether there is a next page.
    let page = GrantFilter {
        limit: filter.limit + 1,
        ..filter.clone()
    };
    let grants = match app.broker().grants().list(&page).await {
        Ok(grants) => grants,
        Err(error) => return Err(slip.refuse(store_refused(&error)).await),
    };
    slip.done(vec![("count", grants.len().min(filter.limit).to_string())])
        .await?;
    Ok(good(
        StatusCode::OK,
        &page_of(grants, filter.limit, reach, app.broker().clock().now()),
    ))
}

async fn show(
    app: &App,
    facts: &Arc<RequestFacts>,
    id: &str,
    request: Request,
    reach: Reach,
) -> Result<Read, Refused> {
    let (parts, _) = request.into_parts();
    let slip = enter(app, facts, &parts.headers, &parts, Action::GrantRead).await?;
    let caller = slip.caller().subject.clone();
    let done = show_known(app, slip, id, reach, &caller).await;
    done.map(|response| Read {
        response,
        caller: caller.clone(),
    })
    .map_err(|refusal| Refused {
        refusal,
        caller: Some(caller),
    })
}

async fn show_known(
    app: &App,
    slip: AuditSlip<'_>,
    id: &str,
    reach: Reach,
    caller: &Subject,
) -> Result<Response, Refusal> {
    let slip = slip.require(reach.permission()).await?;
    let found = match GrantId::new(id) {
        Ok(id) => app.broker().grants().find(&id).await,
        Err(_) => Ok(None),
    };
    let grant = match found {
        Ok(grant) => grant,
        Err(error) => return Err(slip.refuse(store_refused(&error)).await),
    };
    // Another caller's grant looks exactly like none.
    let Some(grant) = grant.filter(|grant| reach == Reach::Any || grant.subject == *caller) else {
        return Err(slip.refuse(not_found()).await);
    };
    slip.done(vec![("grant", grant.id.to_string())]).await?;
    Ok(good(
        StatusCode::OK,
        &reach.answer(&grant, app.broker().clock().now()),
    ))
}

fn page_of(mut grants: Vec<Grant>, limit: usize, reach: Reach, now: Timestamp) -> GrantPage {
    let more = grants.len() > limit;
    grants.truncate(limit);
    let last = grants.last().filter(|_| more);
    let next_cursor =
        last.map(|grant| format!("{}.{}", grant.created_at.as_millisecond(), grant.id));
    GrantPage {
        data: grants
            .iter()
            .map(|grant| reach.answer(grant, now))
            .collect(),
        next_cursor,
    }
}

fn not_found() -> Refusal {
    Refusal::new(
        Code::NotFound,
        "There is no such grant, or it is not yours.",
    )
}

fn store_refused(error: &StoreError) -> Refusal {
    Refusal::new(
        Code::StoreUnavailable,
        "The server can't read its records now. Try again later.",
    )
    .internal(error.to_string())
}

fn answer(facts: &RequestFacts, result: Result<Read, Refused>) -> Response {
    match result {
        Ok(Read {
            mut response,
            caller,
        }) => {
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
