//! What sessions used and cost.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Query, Request, State},
    response::Response,
};
use hallpass_api::{live::UsageReport, problem::Problem};
use hallpass_core::{
    audit::Action,
    code::Code,
    ids::{LiveId, ProfileName, Subject},
    permission::Permission,
    refusal::Refusal,
    request::RequestFacts,
    usage::{Grouping, UsageQuery},
};
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::admin::{Asked, answer, ask, known, store_refused};
use crate::{answer::good, app::App};

/// Groups given where no limit is asked for.
const DEFAULT_LIMIT: usize = 100;
/// Most groups given.
const MAX_LIMIT: usize = 1_000;

/// Which usage is asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageParameters {
    /// `subject`, `session`, `role`, `profile`, `model` or `day`.
    by: Option<String>,
    /// From this day on: 2026-11-22, in UTC.
    from: Option<String>,
    /// To this day, it included.
    to: Option<String>,
    /// Only this subject's.
    subject: Option<String>,
    /// Only of this profile.
    profile: Option<String>,
    /// Only of this live session.
    session: Option<String>,
    /// At most so many groups, 1 to 1000.
    limit: Option<usize>,
}

impl UsageParameters {
    fn query(self) -> Option<UsageQuery> {
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        let by = self.by.as_deref().unwrap_or("subject");
        Some(UsageQuery {
            from: self.from.map(|day| day.parse()).transpose().ok()?,
            to: self.to.map(|day| day.parse()).transpose().ok()?,
            subject: self.subject.map(Subject::new).transpose().ok()?,
            profile: self.profile.map(ProfileName::new).transpose().ok()?,
            session: self.session.map(LiveId::new).transpose().ok()?,
            by: by.parse::<Grouping>().ok()?,
            limit: (1..=MAX_LIMIT).contains(&limit).then_some(limit)?,
        })
    }
}

/// Read usage and cost
///
/// What sessions used, added up by session, subject, role, profile, model or
/// day. What pages report of direct sessions is a row of its own.
#[utoipa::path(
    get,
    path = "/api/admin/usage",
    operation_id = "read_usage",
    tag = "admin",
    params(UsageParameters),
    responses(
        (status = 200, description = "The groups, the dearest first", body = UsageReport),
        (status = 400, description = "A parameter is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail or the store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn read_usage(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let may = (Action::UsageRead, Permission::UsageRead);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), read_known(&app, asked).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn read_known(app: &App, asked: Asked<'_>) -> Result<Response, Refusal> {
    let parameters = Query::<UsageParameters>::try_from_uri(asked.uri());
    let query = parameters.ok().and_then(|Query(read)| read.query());
    let Some(query) = query else {
        let text = "A query parameter is unknown or not valid. There are: by (subject, session, role, profile, model, day), from and to (2026-11-22), subject, profile, session, limit (1 to 1000).";
        return Err(asked
            .slip
            .refuse(Refusal::new(Code::UnknownMember, text))
            .await);
    };
    let totals = match app.broker().sessions().usage.totals(&query).await {
        Ok(totals) => totals,
        Err(error) => return Err(asked.slip.refuse(store_refused(&error)).await),
    };
    asked
        .slip
        .done(vec![("count", totals.len().to_string())])
        .await?;
    let report = UsageReport {
        by: query.by.into(),
        data: totals.iter().map(Into::into).collect(),
    };
    Ok(good(StatusCode::OK, &report))
}
