//! Live sessions: list, show and end them; renew the lease of one's own.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::{
    life::read_revoke,
    live::{EndRequest, RenewAnswer, SessionAnswer, SessionList},
    problem::Problem,
};
use hallpass_core::{
    audit::Action,
    ids::{InvalidId, ProfileName, SessionId, Subject},
    live::LiveFilter,
    permission::Permission,
    refusal::Refusal,
    request::RequestFacts,
};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::admin::{Asked, answer, ask, known};
use crate::{
    answer::good,
    app::App,
    query::{self, Known},
};

/// What may be asked.
const PARAMETERS: Known = &[
    ("subject", "a caller's id"),
    ("session_id", "a text of 1 to 256 bytes"),
    ("profile", "the name of a profile"),
];

/// Which live sessions are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionQuery {
    /// Only this caller's.
    subject: Option<String>,
    /// Only of this interview.
    session_id: Option<String>,
    /// Only of this profile.
    profile: Option<String>,
}

impl SessionQuery {
    fn filter(self) -> Result<LiveFilter, Refusal> {
        let wrong = |name| move |_: InvalidId| query::wrong(PARAMETERS, name);
        let subject = self.subject.map(Subject::new).transpose();
        let session_id = self.session_id.map(SessionId::new).transpose();
        let profile = self.profile.map(ProfileName::new).transpose();
        Ok(LiveFilter {
            subject: subject.map_err(wrong("subject"))?,
            session_id: session_id.map_err(wrong("session_id"))?,
            profile: profile.map_err(wrong("profile"))?,
        })
    }
}

/// List live sessions
///
/// The relayed WebSockets and brokered calls of all replicas, newest first.
/// What a session of another replica used so far is told as of a few seconds ago.
#[utoipa::path(
    get,
    path = "/api/admin/sessions",
    operation_id = "list_sessions",
    tag = "admin",
    params(SessionQuery),
    responses(
        (status = 200, description = "The sessions", body = SessionList),
        (status = 400, description = "A parameter is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail is away, or other replicas are", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn list_sessions(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let may = (Action::SessionRead, Permission::SessionsRead);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), list_known(&app, asked).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn list_known(app: &App, asked: Asked<'_>) -> Result<Response, Refusal> {
    let query = query::read::<SessionQuery>(asked.uri(), PARAMETERS);
    let filter = match query.and_then(SessionQuery::filter) {
        Ok(filter) => filter,
        Err(refusal) => return Err(asked.slip.refuse(refusal).await),
    };
    let sessions = match app.broker().live_sessions(&filter).await {
        Ok(sessions) => sessions,
        Err(refusal) => return Err(asked.slip.refuse(refusal).await),
    };
    let facts = vec![("count", sessions.len().to_string())];
    asked.slip.done(facts).await?;
    let data = sessions.iter().map(Into::into).collect();
    Ok(good(StatusCode::OK, &SessionList { data }))
}

/// Show a live session
#[utoipa::path(
    get,
    path = "/api/admin/sessions/{id}",
    operation_id = "show_session",
    tag = "admin",
    params(("id" = String, Path, description = "Its id, or that of its grant")),
    responses(
        (status = 200, description = "The session", body = SessionAnswer),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such live session", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail is away, or other replicas are", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn show_session(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let may = (Action::SessionRead, Permission::SessionsRead);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), show_known(&app, asked, &id).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn show_known(app: &App, asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let session = match app.broker().live_session(id).await {
        Ok(session) => session,
        Err(refusal) => return Err(asked.slip.refuse(refusal).await),
    };
    let facts = vec![("session", session.id.to_string())];
    asked.slip.done(facts).await?;
    Ok(good(StatusCode::OK, &SessionAnswer::from(&session)))
}

/// End a live session
///
/// Its WebSocket is closed, or its call hung up; its client is told why. More
/// sessions may follow: revoke to keep them from it.
#[utoipa::path(
    post,
    path = "/api/admin/sessions/{id}/end",
    operation_id = "end_session",
    tag = "admin",
    params(("id" = String, Path, description = "Its id, or that of its grant")),
    request_body(content = EndRequest, description = "Every member is optional."),
    responses(
        (status = 200, description = "The session as it ended", body = SessionAnswer),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such live session", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail is away, or other replicas are", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn end_session(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let may = (Action::SessionEnd, Permission::SessionsManage);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), end_known(asked, &id).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn end_known(asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let (slip, reason) = asked.read(|body| read_revoke(body)).await?;
    let session = slip.end_session(id, reason).await?;
    Ok(good(StatusCode::OK, &SessionAnswer::from(&session)))
}

/// Renew the lease of a live session
///
/// Extends it without reconnecting. Whoever may not have the session any more
/// is refused, and the session ends.
#[utoipa::path(
    post,
    path = "/api/sessions/{id}/renew",
    operation_id = "renew_session",
    tag = "client secrets",
    params(("id" = String, Path, description = "The live session's id, or that of its grant")),
    responses(
        (status = 200, description = "Until when the lease lasts", body = RenewAnswer),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed; the session ends", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such live session, or another caller's", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 409, description = "The session has no lease, or is over", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail is away, or other replicas are", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn renew_session(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let may = (Action::SessionRenew, Permission::GrantsCreate);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), renew_known(asked, &id).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn renew_known(asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let (session, until) = asked.slip.renew_session(id).await?;
    Ok(good(StatusCode::OK, &RenewAnswer::new(&session, until)))
}
