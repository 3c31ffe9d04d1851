//! Interviews: the app's backend registers, reads and ends them.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::{
    interviews::{self, InterviewAnswer, InterviewEndAnswer, InterviewPage, InterviewRequest},
    problem::Problem,
};
use hallpass_core::{
    Timestamp,
    audit::Action,
    code::Code,
    ids::{SessionId, Subject},
    interview::{InterviewFilter, InterviewStanding},
    permission::Permission,
    refusal::Refusal,
    request::RequestFacts,
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

/// Interviews on a page that does not say how many.
const DEFAULT_PAGE: usize = 50;
/// Most interviews on a page.
const MAX_PAGE: usize = 200;

/// What may be asked.
const PARAMETERS: Known = &[
    ("subject", "a caller's id"),
    ("cursor", "\"next_cursor\" of the page before"),
    ("limit", "a whole number from 1 to 200"),
];

/// Which interviews are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InterviewQuery {
    /// Only this subject's.
    subject: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Interviews on the page, 1 to 200.
    limit: Option<usize>,
}

/// Register an interview
///
/// From then on its subject may ask for client secrets that carry its id.
/// Sending the same members again gives the same answer with 200.
#[utoipa::path(
    post,
    path = "/api/admin/interviews",
    tag = "admin",
    request_body(content = InterviewRequest),
    responses(
        (status = 201, description = "Registered", body = InterviewAnswer<'static>),
        (status = 200, description = "It was registered before, just so", body = InterviewAnswer<'static>),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 409, description = "The id is taken by another registration", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 413, description = "Body over 64 KiB", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 415, description = "Body not JSON", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The store or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn register_interview(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let rule = (Action::InterviewRegister, Permission::InterviewsManage);
    let result = match ask(&app, &facts, request, rule).await {
        Ok(asked) => known(asked.caller.clone(), register_known(&app, asked).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn register_known(app: &App, asked: Asked<'_>) -> Result<Response, Refusal> {
    let (now, by) = (app.broker().clock().now(), asked.caller.clone());
    let read = asked
        .read(|body| interviews::read_new(body, &by, now))
        .await;
    let (slip, interview) = read?;
    if let Some(profile) = &interview.profile
        && !app.broker().policy().profiles.contains_key(profile)
    {
        let text = "There is no profile of this name.";
        let refusal = Refusal::new(Code::UnknownProfile, text).member("profile");
        return Err(slip.refuse(refusal).await);
    }
    let (standing, is_new) = slip.register(interview).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(good(status, &InterviewAnswer::at(&standing, now)))
}

/// List interviews
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/api/admin/interviews",
    tag = "admin",
    params(InterviewQuery),
    responses(
        (status = 200, description = "A page of interviews", body = InterviewPage<'static>),
        (status = 400, description = "A parameter is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The store or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn list_interviews(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let rule = (Action::AdminRequest, Permission::InterviewsManage);
    let result = match ask(&app, &facts, request, rule).await {
        Ok(asked) => known(asked.caller.clone(), list_known(&app, asked).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn list_known(app: &App, asked: Asked<'_>) -> Result<Response, Refusal> {
    let filter = query::read(asked.uri(), PARAMETERS).and_then(filter_of);
    let filter = match filter {
        Ok(filter) => filter,
        Err(refusal) => return Err(asked.slip.refuse(refusal).await),
    };
    // One more than asked for tells whether there is a next page.
    let limit = filter.limit;
    let page = InterviewFilter {
        limit: limit + 1,
        ..filter
    };
    let found = match app.broker().interviews().list(&page).await {
        Ok(found) => found,
        Err(error) => return Err(asked.slip.refuse(store_refused(&error)).await),
    };
    let count = ("count", found.len().min(limit).to_string());
    asked.slip.done(vec![count]).await?;
    let now = app.broker().clock().now();
    Ok(good(StatusCode::OK, &page_of(&found, limit, now)))
}

/// Show an interview
#[utoipa::path(
    get,
    path = "/api/admin/interviews/{session_id}",
    tag = "admin",
    params(("session_id" = String, Path, description = "The app's id of the interview")),
    responses(
        (status = 200, description = "The interview", body = InterviewAnswer<'static>),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such interview", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The store or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn show_interview(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let rule = (Action::AdminRequest, Permission::InterviewsManage);
    let result = match ask(&app, &facts, request, rule).await {
        Ok(asked) => known(asked.caller.clone(), show_known(&app, asked, &id).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn show_known(app: &App, asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let found = match SessionId::new(id) {
        Ok(id) => app.broker().interviews().find(&id).await,
        Err(_) => Ok(None),
    };
    let standing = match found {
        Ok(Some(standing)) => standing,
        Ok(None) => return Err(asked.slip.refuse(not_found()).await),
        Err(error) => return Err(asked.slip.refuse(store_refused(&error)).await),
    };
    let fact = ("session_id", standing.interview.session_id.to_string());
    asked.slip.done(vec![fact]).await?;
    let now = app.broker().clock().now();
    Ok(good(StatusCode::OK, &InterviewAnswer::at(&standing, now)))
}

/// End an interview
///
/// It gives no more client secrets, and those it gave are revoked. The answer
/// says until when secrets live that only OpenAI could recall.
#[utoipa::path(
    post,
    path = "/api/admin/interviews/{session_id}/end",
    tag = "admin",
    params(("session_id" = String, Path, description = "The app's id of the interview")),
    responses(
        (status = 200, description = "It is over", body = InterviewEndAnswer<'static>),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such interview", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The store or the trail is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn end_interview(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let rule = (Action::InterviewEnd, Permission::InterviewsManage);
    let result = match ask(&app, &facts, request, rule).await {
        Ok(asked) => known(asked.caller.clone(), end_known(&app, asked, &id).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn end_known(app: &App, asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let (standing, withdrawn) = asked.slip.end_interview(id).await?;
    let body = InterviewEndAnswer {
        interview: InterviewAnswer::at(&standing, app.broker().clock().now()),
        grants_revoked: withdrawn.revoked,
        unexpired_secrets: withdrawn.unexpired,
        unexpired_until: withdrawn.unexpired_until.map(Timestamp::as_second),
    };
    Ok(good(StatusCode::OK, &body))
}

fn filter_of(asked: InterviewQuery) -> Result<InterviewFilter, Refusal> {
    let wrong = |name: &str| query::wrong(PARAMETERS, name);
    let limit = asked.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(wrong("limit"));
    }
    let subject = asked.subject.map(Subject::new).transpose();
    let before = asked
        .cursor
        .map(|text| read_cursor(&text).ok_or_else(|| wrong("cursor")));
    Ok(InterviewFilter {
        subject: subject.map_err(|_| wrong("subject"))?,
        before: before.transpose()?,
        limit,
    })
}

/// A cursor is the last interview's time in milliseconds and its id.
fn read_cursor(text: &str) -> Option<(Timestamp, SessionId)> {
    let (millis, id) = text.split_once('.')?;
    let time = Timestamp::from_millisecond(millis.parse().ok()?).ok()?;
    Some((time, SessionId::new(id).ok()?))
}

fn page_of(found: &[InterviewStanding], limit: usize, now: Timestamp) -> InterviewPage<'_> {
    let shown = &found[..found.len().min(limit)];
    let last = shown.last().filter(|_| found.len() > limit);
    let cursor = |last: &InterviewStanding| {
        let InterviewStanding { interview, .. } = last;
        let millis = interview.registered_at.as_millisecond();
        format!("{millis}.{}", interview.session_id)
    };
    InterviewPage {
        data: shown
            .iter()
            .map(|standing| InterviewAnswer::at(standing, now))
            .collect(),
        next_cursor: last.map(cursor),
    }
}

fn not_found() -> Refusal {
    Refusal::new(Code::NotFound, "There is no interview of this id.")
}
