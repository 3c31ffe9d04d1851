//! Alerts: those that last, and those that ended.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    response::Response,
};
use hallpass_api::{
    alerts::{AcknowledgeRequest, ActiveCounts, AlertAnswer, AlertPage, read_acknowledge},
    problem::Problem,
};
use hallpass_core::{
    Timestamp,
    alert::{Acknowledgement, Alert, AlertFilter, AlertId, Fingerprint, Severity},
    audit::Action,
    code::Code,
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

/// Alerts on a page that does not say how many.
const DEFAULT_PAGE: usize = 50;
/// Most alerts on a page.
const MAX_PAGE: usize = 200;

/// What may be asked.
const PARAMETERS: Known = &[
    ("state", "\"active\" or \"ended\""),
    ("rule", "the name of a rule"),
    ("severity", "\"info\", \"warning\" or \"critical\""),
    ("fingerprint", "the cause of an alert"),
    ("since", "a time such as 2026-11-22T21:00:00Z"),
    ("until", "a time such as 2026-11-22T21:00:00Z"),
    ("cursor", "\"next_cursor\" of the page before"),
    ("limit", "a whole number from 1 to 200"),
];

/// Which alerts are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertQuery {
    /// `active` or `ended`; both where it is left out.
    state: Option<String>,
    /// Only of the rule of this name.
    rule: Option<String>,
    /// Only `info`, `warning` or `critical` ones.
    severity: Option<String>,
    /// Only of this cause.
    fingerprint: Option<String>,
    /// Only those that began at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only those that began before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Alerts on the page, 1 to 200; 50 when left out.
    #[param(minimum = 1, maximum = 200, example = 50)]
    limit: Option<usize>,
}

impl AlertQuery {
    fn filter(self) -> Result<AlertFilter, Refusal> {
        let wrong = |name: &str| query::wrong(PARAMETERS, name);
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(wrong("limit"));
        }
        let active = match self.state.as_deref() {
            None => None,
            Some("active") => Some(true),
            Some("ended") => Some(false),
            Some(_) => return Err(wrong("state")),
        };
        let severity = self.severity.map(|it| it.parse::<Severity>()).transpose();
        let after = self
            .cursor
            .map(|it| read_cursor(&it).ok_or_else(|| wrong("cursor")));
        Ok(AlertFilter {
            active,
            rule: self.rule,
            severity: severity.map_err(|_| wrong("severity"))?,
            fingerprint: self.fingerprint.map(Fingerprint::kept),
            since: self.since,
            until: self.until,
            after: after.transpose()?,
            limit,
        })
    }
}

/// List alerts
///
/// Newest first: those that last, those that ended, or both.
#[utoipa::path(
    get,
    path = "/api/admin/alerts",
    operation_id = "list_alerts",
    tag = "admin",
    params(AlertQuery),
    responses(
        (status = 200, description = "A page of alerts", body = AlertPage),
        (status = 400, description = "A parameter is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail or the store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn list_alerts(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let may = (Action::AlertRead, Permission::AlertsRead);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(asked.caller.clone(), list_known(&app, asked).await),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn list_known(app: &App, asked: Asked<'_>) -> Result<Response, Refusal> {
    let query = query::read::<AlertQuery>(asked.uri(), PARAMETERS);
    let filter = match query.and_then(AlertQuery::filter) {
        Ok(filter) => filter,
        Err(refusal) => return Err(asked.slip.refuse(refusal).await),
    };
    // One more than asked for tells whether there is a next page.
    let page = AlertFilter {
        limit: filter.limit + 1,
        ..filter.clone()
    };
    let (active, alerts) = match (app.alerts().active().await, app.alerts().list(&page).await) {
        (Ok(active), Ok(alerts)) => (active, alerts),
        (Err(error), _) | (_, Err(error)) => {
            return Err(asked.slip.refuse(store_refused(&error)).await);
        }
    };
    let count = alerts.len().min(filter.limit).to_string();
    asked.slip.done(vec![("count", count)]).await?;
    Ok(good(
        StatusCode::OK,
        &page_of(alerts, filter.limit, &active),
    ))
}

fn page_of(mut alerts: Vec<Alert>, limit: usize, active: &[Alert]) -> AlertPage {
    let more = alerts.len() > limit;
    alerts.truncate(limit);
    let last = alerts.last().filter(|_| more);
    let mut counts = ActiveCounts::default();
    for alert in active {
        match alert.severity {
            Severity::Critical => counts.critical += 1,
            Severity::Warning => counts.warning += 1,
            Severity::Info => counts.info += 1,
        }
    }
    AlertPage {
        next_cursor: last
            .map(|alert| format!("{}.{}", alert.started_at.as_millisecond(), alert.id)),
        data: alerts.iter().map(AlertAnswer::from).collect(),
        active: counts,
    }
}

/// A cursor is the last alert's beginning in milliseconds and its id.
fn read_cursor(text: &str) -> Option<(Timestamp, AlertId)> {
    let (millis, id) = text.split_once('.')?;
    let time = Timestamp::from_millisecond(millis.parse().ok()?).ok()?;
    Some((time, AlertId::new(id).ok()?))
}

/// Acknowledge an alert
///
/// Says that somebody looks after it. It lasts until its cause is gone.
#[utoipa::path(
    post,
    path = "/api/admin/alerts/{id}/acknowledge",
    operation_id = "acknowledge_alert",
    tag = "admin",
    params(("id" = String, Path, description = "The alert's id")),
    request_body(content = AcknowledgeRequest, description = "Every member is optional."),
    responses(
        (status = 200, description = "The alert; whoever acknowledged it first stays", body = AlertAnswer),
        (status = 400, description = "A member is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 404, description = "No such alert", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail or the store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn acknowledge_alert(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let may = (Action::AlertAcknowledge, Permission::AlertsManage);
    let result = match ask(&app, &facts, request, may).await {
        Ok(asked) => known(
            asked.caller.clone(),
            acknowledge_known(&app, asked, &id).await,
        ),
        Err(refused) => Err(refused),
    };
    answer(&facts, result)
}

async fn acknowledge_known(app: &App, asked: Asked<'_>, id: &str) -> Result<Response, Refusal> {
    let by = asked.caller.clone();
    let (slip, note) = asked.read(|body| read_acknowledge(body)).await?;
    let seen = Acknowledgement {
        by,
        at: app.broker().clock().now(),
        note,
    };
    let found = match AlertId::new(id) {
        Ok(id) => app.alerts().acknowledge(&id, &seen).await,
        Err(_) => Ok(None),
    };
    let alert = match found {
        Ok(Some(alert)) => alert,
        Ok(None) => {
            let none = Refusal::new(Code::NotFound, "There is no such alert.");
            return Err(slip.refuse(none).await);
        }
        Err(error) => return Err(slip.refuse(store_refused(&error)).await),
    };
    let mut facts = vec![
        ("alert", alert.id.to_string()),
        ("rule", alert.rule.clone()),
        ("fingerprint", alert.fingerprint.to_string()),
    ];
    facts.extend(seen.note.map(|note| ("note", note)));
    slip.done(facts).await?;
    Ok(good(StatusCode::OK, &AlertAnswer::from(&alert)))
}
