//! What sessions used and cost, and what the trail counts beside.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Query, Request, State},
    response::Response,
};
use hallpass_api::{problem::Problem, usage::UsageReport};
use hallpass_core::{
    audit::Action,
    code::Code,
    permission::Permission,
    refusal::Refusal,
    request::RequestFacts,
    usage::{Grouping, UsageQuery},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use utoipa::IntoParams;

use super::admin::{Asked, answer, ask, known, store_refused};
use crate::{answer::good, app::App};

/// Groups given where no limit is asked for; of a table, all it may have.
const DEFAULT_LIMIT: usize = 100;
/// Most groups given.
const MAX_LIMIT: usize = 10_000;
/// Most groupings at once.
const MAX_GROUPINGS: usize = 3;
/// Longest name of a model.
const MAX_MODEL: usize = 128;
const CSV: &str = "text/csv; charset=utf-8; header=present";
/// Says whether a table has all groups: it has no other place for that.
const MORE: HeaderName = HeaderName::from_static("x-has-more");

/// Which usage is asked for, and in which form.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageParameters {
    /// Up to three of `subject`, `session`, `role`, `profile`, `mode`, `model`,
    /// `day` and `hour`, with commas; `subject` where it is left out.
    #[param(example = "subject,hour")]
    by: Option<String>,
    /// From this day, hour or moment on, in UTC.
    #[param(example = "2026-11-22")]
    from: Option<String>,
    /// To this day, hour or moment, all of its day or hour included.
    #[param(example = "2026-11-22T14:00Z")]
    to: Option<String>,
    /// Only this subject's.
    subject: Option<String>,
    /// Only of this profile.
    profile: Option<String>,
    /// Only in this mode: `direct`, `relay` or `call`.
    mode: Option<String>,
    /// Only of this model.
    model: Option<String>,
    /// Only of this live session.
    session: Option<String>,
    /// At most so many groups, 1 to 10000: of days and hours the newest, else
    /// the dearest. Left out, 100, and of a table 10000.
    limit: Option<usize>,
    /// `json` or `csv`; `Accept: text/csv` asks for the latter, too.
    format: Option<String>,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

impl UsageParameters {
    fn query(self, headers: &HeaderMap) -> Result<(UsageQuery, Format), &'static str> {
        let format = match self.format.as_deref() {
            Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            Some(_) => return Err("format"),
            None if wants_csv(headers) => Format::Csv,
            None => Format::Json,
        };
        let limit = self.limit.unwrap_or(match format {
            Format::Json => DEFAULT_LIMIT,
            Format::Csv => MAX_LIMIT,
        });
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err("limit");
        }
        let model = self.model;
        if model.as_ref().is_some_and(|model| model.len() > MAX_MODEL) {
            return Err("model");
        }
        let query = UsageQuery {
            from: read("from", self.from)?,
            to: read("to", self.to)?,
            subject: made("subject", self.subject)?,
            profile: made("profile", self.profile)?,
            mode: read("mode", self.mode)?,
            model,
            session: made("session", self.session)?,
            by: groupings(self.by.as_deref().unwrap_or("subject")).ok_or("by")?,
            limit,
        };
        Ok((query, format))
    }
}

/// What a parameter names; its name where that can't be read.
fn read<T: std::str::FromStr>(
    name: &'static str,
    text: Option<String>,
) -> Result<Option<T>, &'static str> {
    text.map(|text| text.parse().map_err(|_| name)).transpose()
}

/// The id a parameter is; its name where it is none.
fn made<T: TryFrom<String>>(
    name: &'static str,
    text: Option<String>,
) -> Result<Option<T>, &'static str> {
    text.map(|text| T::try_from(text).map_err(|_| name))
        .transpose()
}

fn groupings(text: &str) -> Option<Vec<Grouping>> {
    let mut groupings = Vec::new();
    for name in text.split(',') {
        let grouping = name.trim().parse().ok()?;
        if groupings.contains(&grouping) || groupings.len() == MAX_GROUPINGS {
            return None;
        }
        groupings.push(grouping);
    }
    Some(groupings)
}

/// Whether a table is asked for before JSON.
fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok());
    let mut kinds = accept.unwrap_or_default().split(',').map(|kind| {
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().to_ascii_lowercase()
    });
    let named = |kind: &String| kind == "text/csv" || kind == "application/json";
    kinds.find(named).is_some_and(|kind| kind == "text/csv")
}

/// Read usage and cost
///
/// What sessions used and cost, how many secrets were issued, refused and
/// failed, and how sessions ended, by up to three groupings. What pages report
/// of direct sessions is a row of its own. What was used is told at once; what
/// the trail counts (`activity`) lags it by a second.
#[utoipa::path(
    get,
    path = "/api/admin/usage",
    operation_id = "read_usage",
    tag = "admin",
    params(UsageParameters),
    responses(
        (status = 200, description = "The groups: days and hours in their order, others the dearest first", content((UsageReport = "application/json"), (String = "text/csv")), headers(("x-has-more" = bool, description = "Of a table: whether there are more groups than it has"))),
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
    let (query, format) = match parameters(&asked) {
        Ok(read) => read,
        Err(refusal) => return Err(asked.slip.refuse(refusal).await),
    };
    // Read first: what is counted meanwhile is in the totals, and not told.
    let counted = app.counted_records();
    let totals = match app.broker().sessions().usage.totals(&query).await {
        Ok(totals) => totals,
        Err(error) => return Err(asked.slip.refuse(store_refused(&error)).await),
    };
    let report = UsageReport::new(&query, &totals, counted);
    let facts = vec![
        ("by", report.by.clone()),
        ("count", report.data.len().to_string()),
    ];
    asked.slip.done(facts).await?;
    Ok(match format {
        Format::Json => good(StatusCode::OK, &report),
        Format::Csv => csv(&report),
    })
}

fn parameters(asked: &Asked<'_>) -> Result<(UsageQuery, Format), Refusal> {
    let Ok(Query(read)) = Query::<UsageParameters>::try_from_uri(asked.uri()) else {
        let text = "A query parameter is unknown or not valid. There are: by (up to three of subject, session, role, profile, mode, model, day, hour), from and to (2026-11-22, 2026-11-22T14:00Z), subject, profile, mode, model, session, limit (1 to 10000), format (json, csv).";
        return Err(Refusal::new(Code::UnknownMember, text));
    };
    read.query(asked.headers()).map_err(|name| {
        let text = format!("The parameter \"{name}\" is not valid.");
        Refusal::new(Code::InvalidMember, text).member(name)
    })
}

fn csv(report: &UsageReport) -> Response {
    let mut response = Response::new(Body::from(report.to_csv()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CSV));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"hallpass-usage.csv\""),
    );
    let more = if report.more { "true" } else { "false" };
    headers.insert(MORE, HeaderValue::from_static(more));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accept: &str, format: Option<&str>) -> Result<Format, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        let asked = UsageParameters {
            format: format.map(str::to_owned),
            ..UsageParameters::default()
        };
        asked.query(&headers).map(|(_, format)| format)
    }

    #[test]
    fn the_form_is_the_one_that_is_asked_for() {
        for (accept, format, expected) in [
            ("*/*", None, Ok(Format::Json)),
            ("text/csv", None, Ok(Format::Csv)),
            ("Text/CSV; header=present, */*", None, Ok(Format::Csv)),
            ("application/json, text/csv", None, Ok(Format::Json)),
            ("text/csv", Some("json"), Ok(Format::Json)),
            ("*/*", Some("csv"), Ok(Format::Csv)),
            ("*/*", Some("xml"), Err("format")),
        ] {
            assert_eq!(form(accept, format), expected, "{accept} {format:?}");
        }
    }

    #[test]
    fn a_parameter_that_is_wrong_is_named() {
        let asked = |change: fn(&mut UsageParameters)| {
            let mut asked = UsageParameters::default();
            change(&mut asked);
            asked.query(&HeaderMap::new()).map(|_| ())
        };
        assert_eq!(asked(|_| ()), Ok(()));
        assert_eq!(asked(|it| it.by = Some("colour".into())), Err("by"));
        assert_eq!(asked(|it| it.by = Some("day,day".into())), Err("by"));
        assert_eq!(
            asked(|it| it.by = Some("day,hour,mode,model".into())),
            Err("by")
        );
        assert_eq!(asked(|it| it.from = Some("today".into())), Err("from"));
        assert_eq!(asked(|it| it.to = Some("2026-13-01".into())), Err("to"));
        assert_eq!(asked(|it| it.mode = Some("radio".into())), Err("mode"));
        assert_eq!(asked(|it| it.model = Some("m".repeat(129))), Err("model"));
        assert_eq!(asked(|it| it.limit = Some(0)), Err("limit"));
        assert_eq!(asked(|it| it.limit = Some(10_001)), Err("limit"));
    }
}
