//! Is the process alive, can it serve, and how are its parts.

use std::time::Duration;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::good,
    app::{App, UpstreamStatus},
};

/// A probe's answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Probe {
    /// `ok`, or what is wrong.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Is the process alive
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, description = "It is", body = Probe)))]
pub(crate) async fn livez() -> Response {
    good(StatusCode::OK, &Probe { status: "ok" })
}

/// Can the server serve
///
/// OpenAI being away does not make it unready: every replica would leave at once.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses(
        (status = 200, description = "It can", body = Probe),
        (status = 503, description = "The trail can't be written, the latest revocations are not known, or the server is stopping", body = Probe),
    ),
)]
pub(crate) async fn readyz(State(app): State<App>) -> Response {
    match readiness(&app) {
        "ok" => good(StatusCode::OK, &Probe { status: "ok" }),
        status => good(StatusCode::SERVICE_UNAVAILABLE, &Probe { status }),
    }
}

fn readiness(app: &App) -> &'static str {
    if app.draining() {
        return "draining";
    }
    if !app.broker().audit().writable() {
        return "audit trail unwritable";
    }
    if !app.broker().revocations().is_fresh() {
        return "revocations not known";
    }
    "ok"
}

/// How the parts are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthReport {
    /// `ok`, `degraded` or what makes the server unready.
    status: &'static str,
    /// The program's version.
    version: &'static str,
    /// Seconds since the start.
    uptime_seconds: u64,
    /// The audit trail.
    audit: AuditReport,
    /// The registry of grants.
    registry: RegistryReport,
    /// The first upstream of the configuration.
    upstream: Option<UpstreamReport>,
    /// All of them.
    upstreams: Vec<UpstreamReport>,
    /// The parts that are not well, and since when.
    unwell: Vec<UnwellPart>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AuditReport {
    /// Whether a record could be written now.
    writable: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct RegistryReport {
    /// Grants in the trail that the registry's file does not hold yet.
    waiting: usize,
}

/// One upstream: a key at a host.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UpstreamReport {
    /// Its name in the configuration.
    name: String,
    /// `unknown` before the first call, then `ok` or `failing`.
    status: &'static str,
    /// `closed`: it is asked. `open`: it is left alone. `half_open`: one call
    /// finds out whether it is back.
    #[schema(example = "closed")]
    breaker: &'static str,
    /// Whether an operator holds the breaker so.
    forced: bool,
    /// Since when the breaker is so, RFC 3339.
    since: String,
    /// The code of the failure that opened the breaker.
    #[schema(example = "upstream_timeout")]
    cause: Option<&'static str>,
    /// Seconds until it is asked again; none when it would be now.
    retry_in_seconds: Option<u64>,
    /// A mark that tells its keys apart, and is no key.
    key: String,
    /// Its share of the mints beside the others.
    weight: u32,
    /// When it last gave a secret, RFC 3339.
    last_success: Option<String>,
    /// When it last failed, RFC 3339.
    last_failure: Option<String>,
    /// The code of the last failure.
    last_failure_code: Option<&'static str>,
    /// Failures since the last success.
    consecutive_failures: u32,
}

impl UpstreamReport {
    /// The report of one upstream.
    pub(crate) fn of(upstream: &UpstreamStatus) -> Self {
        let status = match (upstream.consecutive_failures, upstream.last_success) {
            _ if upstream.breaker != "closed" => "failing",
            (0, None) => "unknown",
            (0, Some(_)) => "ok",
            _ => "failing",
        };
        // To the second above: who waits so long is not early.
        let whole_seconds = |wait: Duration| wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            name: upstream.name.to_string(),
            status,
            breaker: upstream.breaker,
            forced: upstream.forced,
            since: upstream.since.to_string(),
            cause: upstream.cause,
            retry_in_seconds: upstream.retry_in.map(whole_seconds),
            key: upstream.key.to_string(),
            weight: upstream.weight,
            last_success: upstream.last_success.map(|time| time.to_string()),
            last_failure: upstream.last_failure.map(|(time, _)| time.to_string()),
            last_failure_code: upstream.last_failure.map(|(_, code)| code),
            consecutive_failures: upstream.consecutive_failures,
        }
    }
}

/// A part that is not well.
#[derive(Debug, Serialize, ToSchema)]
struct UnwellPart {
    /// Which one.
    #[schema(example = "upstream openai")]
    part: String,
    /// What it is.
    #[schema(example = "breaker open: upstream_timeout")]
    what: String,
    /// Since when, RFC 3339; none where that is not known.
    since: Option<String>,
}

/// How the parts are
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, description = "The report", body = HealthReport)))]
pub(crate) async fn health(State(app): State<App>) -> Response {
    let statuses = app.health().upstreams();
    let reports: Vec<_> = statuses.iter().map(UpstreamReport::of).collect();
    let unwell = unwell(&app, &reports);
    let status = match readiness(&app) {
        "ok" if reports.iter().any(|report| report.status == "failing") => "degraded",
        status => status,
    };
    let report = HealthReport {
        status,
        version: app.version(),
        uptime_seconds: app.uptime().as_secs(),
        audit: AuditReport {
            writable: app.broker().audit().writable(),
        },
        registry: RegistryReport {
            waiting: app.health().waiting_grants(),
        },
        upstream: statuses.first().map(UpstreamReport::of),
        upstreams: reports,
        unwell,
    };
    good(StatusCode::OK, &report)
}

fn unwell(app: &App, reports: &[UpstreamReport]) -> Vec<UnwellPart> {
    let trail = (!app.broker().audit().writable()).then(|| UnwellPart {
        part: "audit".to_owned(),
        what: "the trail can't be written".to_owned(),
        since: None,
    });
    let failing = reports.iter().filter(|report| report.status == "failing");
    let upstreams = failing.map(|report| {
        let open = report.breaker != "closed";
        let cause = report.cause.or(report.last_failure_code);
        let cause = cause.unwrap_or("an operator's wish");
        let (what, since) = match open {
            true => (
                format!("breaker {}: {cause}", report.breaker),
                Some(report.since.clone()),
            ),
            false => (format!("failing: {cause}"), report.last_failure.clone()),
        };
        UnwellPart {
            part: format!("upstream {}", report.name),
            what,
            since,
        }
    });
    let beside = app.health().beside();
    let beside = beside.into_iter().map(|unwell| UnwellPart {
        part: unwell.part.to_owned(),
        what: unwell.what,
        since: Some(unwell.since.to_string()),
    });
    trail.into_iter().chain(upstreams).chain(beside).collect()
}
