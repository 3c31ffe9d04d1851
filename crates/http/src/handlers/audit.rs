//! Reads the audit trail. The reading is itself recorded.

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use hallpass_api::problem::Problem;
use hallpass_core::{
    Timestamp, audit::Action, code::Code, ids::Subject, permission::Permission, ports::StoreError,
    refusal::Refusal, request::RequestFacts,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{
    admin::{answer, ask},
    mint::Refused,
};
use crate::{
    answer::good,
    app::App,
    query::{self, Known},
};

/// Records on a page that does not say how many.
const DEFAULT_PAGE: usize = 100;
/// Most records on a page.
const MAX_PAGE: usize = 1000;
/// What an outcome may be.
const OUTCOMES: [&str; 5] = ["pending", "success", "refused", "failed", "abandoned"];

/// What may be asked.
const PARAMETERS: Known = &[
    ("subject", "a caller's id"),
    ("grant", "the id of a grant or a lineage"),
    ("session_id", "the app's id of an interview"),
    ("action", "an action such as \"grant.create\""),
    (
        "outcome",
        "\"pending\", \"success\", \"refused\", \"failed\" or \"abandoned\"",
    ),
    ("address", "an address such as 192.0.2.7"),
    ("since", "a time such as 2026-11-22T21:00:00Z"),
    ("until", "a time such as 2026-11-22T21:00:00Z"),
    ("cursor", "\"next_cursor\" of the page before"),
    ("limit", "a whole number from 1 to 1000"),
];

/// Finds records of the audit trail.
#[async_trait]
pub trait TrailSearch: Send + Sync {
    /// Records, oldest first.
    async fn find(&self, wanted: AuditQuery) -> Result<Vec<FoundRecord>, StoreError>;
}

/// A record that was found.
#[derive(Debug)]
pub struct FoundRecord {
    /// Its number within the trail.
    pub sequence: u64,
    /// It, as it is stored.
    pub record: Box<RawValue>,
}

/// Which records are asked for.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only this subject's.
    pub subject: Option<String>,
    /// Only of this grant, by its id or its lineage's.
    pub grant: Option<String>,
    /// Only of this interview.
    pub session_id: Option<String>,
    /// Only of this action, for example `grant.create`.
    pub action: Option<String>,
    /// Only with this outcome: `pending`, `success`, `refused`, `failed` or `abandoned`.
    pub outcome: Option<String>,
    /// Only from this address.
    #[param(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Only at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Only before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// `next_cursor` of the page before.
    pub cursor: Option<u64>,
    /// Records on the page, 1 to 1,000.
    pub limit: Option<usize>,
}

/// A page of records.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// The records as they are stored: OCSF 1.9 events, oldest first. Where
    /// several replicas share a database, those of all of them, in the order in
    /// which they reached it; each then names its own in `replica`.
    #[schema(value_type = Vec<Object>)]
    data: Vec<Box<RawValue>>,
    /// Asks for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<u64>,
}

/// Search the audit trail
///
/// Oldest first. Every reading is recorded in the trail it reads.
#[utoipa::path(
    get,
    path = "/api/admin/audit",
    tag = "admin",
    params(AuditQuery),
    responses(
        (status = 200, description = "A page of records", body = AuditPage),
        (status = 400, description = "A parameter is wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "The trail can't be read or written", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
    ),
    security(("api_key" = []), ("jwt" = [])),
)]
pub(crate) async fn search_audit(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let result = search(&app, &facts, request).await;
    answer(&facts, result)
}

async fn search(
    app: &App,
    facts: &Arc<RequestFacts>,
    request: Request,
) -> Result<(Response, Subject), Refused> {
    let asked = ask(
        app,
        facts,
        request,
        (Action::AuditRead, Permission::AuditRead),
    )
    .await?;
    let caller = asked.caller.clone();
    let query = read_query(asked.uri());
    let refused = |refusal| Refused {
        refusal,
        caller: Some(caller.clone()),
    };
    let query = match query {
        Ok(query) => query,
        Err(refusal) => return Err(refused(asked.slip.refuse(refusal).await)),
    };
    let page = match find(app, query.clone()).await {
        Ok(page) => page,
        Err(refusal) => return Err(refused(asked.slip.refuse(refusal).await)),
    };
    let done = asked.slip.done(read_facts(&query, page.data.len())).await;
    done.map_err(refused)?;
    Ok((good(StatusCode::OK, &page), caller))
}

/// What was asked for, as the trail keeps it.
fn read_facts(query: &AuditQuery, found: usize) -> Vec<(&'static str, String)> {
    let asked = [
        ("subject", query.subject.clone()),
        ("grant", query.grant.clone()),
        ("session_id", query.session_id.clone()),
        ("action", query.action.clone()),
        ("outcome", query.outcome.clone()),
        ("address", query.address.map(|address| address.to_string())),
        ("since", query.since.map(|time| time.to_string())),
        ("until", query.until.map(|time| time.to_string())),
        ("count", Some(found.to_string())),
    ];
    let given = asked.into_iter();
    given
        .filter_map(|(name, text)| Some((name, text?)))
        .collect()
}

async fn find(app: &App, query: AuditQuery) -> Result<AuditPage, Refusal> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE);
    // One more than asked for tells whether there is a next page.
    let wanted = AuditQuery {
        limit: Some(limit + 1),
        ..query
    };
    let mut found = app.trail().find(wanted).await.map_err(|error| {
        Refusal::new(
            Code::StoreUnavailable,
            "The server can't read its records now. Try again later.",
        )
        .internal(error.to_string())
    })?;
    let next_cursor = found.get(limit).map(|record| record.sequence);
    found.truncate(limit);
    Ok(AuditPage {
        data: found.into_iter().map(|found| found.record).collect(),
        next_cursor,
    })
}

fn read_query(uri: &http::Uri) -> Result<AuditQuery, Refusal> {
    let query: AuditQuery = query::read(uri, PARAMETERS)?;
    let wrong = |name: &str| query::wrong(PARAMETERS, name);
    if !(1..=MAX_PAGE).contains(&query.limit.unwrap_or(DEFAULT_PAGE)) {
        return Err(wrong("limit"));
    }
    let outcome = query.outcome.as_deref();
    if outcome.is_some_and(|outcome| !OUTCOMES.contains(&outcome)) {
        return Err(wrong("outcome"));
    }
    Ok(query)
}
