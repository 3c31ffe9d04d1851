//! Is the process alive, can it serve, and how are its parts.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{answer::good, app::App};

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
        (status = 503, description = "The trail can't be written, or the server is stopping", body = Probe),
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
    /// OpenAI.
    upstream: UpstreamReport,
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

#[derive(Debug, Serialize, ToSchema)]
struct UpstreamReport {
    /// Its name in the configuration.
    name: String,
    /// `unknown` before the first call, then `ok` or `failing`.
    status: &'static str,
    /// When it last gave a secret, RFC 3339.
    last_success: Option<String>,
    /// When it last failed, RFC 3339.
    last_failure: Option<String>,
    /// The code of the last failure.
    last_failure_code: Option<&'static str>,
    /// Failures since the last success.
    consecutive_failures: u32,
}

/// How the parts are
#[utoipa::path(get, path = "/health", tag = "health", responses((status = 200, description = "The report", body = HealthReport)))]
pub(crate) async fn health(State(app): State<App>) -> Response {
    let upstream = upstream(&app);
    let status = match readiness(&app) {
        "ok" if upstream.status == "failing" => "degraded",
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
        upstream,
    };
    good(StatusCode::OK, &report)
}

fn upstream(app: &App) -> UpstreamReport {
    let health = app.health().upstream();
    let status = match (health.consecutive_failures, health.last_success) {
        (0, None) => "unknown",
        (0, Some(_)) => "ok",
        _ => "failing",
    };
    UpstreamReport {
        name: health.name,
        status,
        last_success: health.last_success.map(|time| time.to_string()),
        last_failure: health.last_failure.map(|(time, _)| time.to_string()),
        last_failure_code: health.last_failure.map(|(_, code)| code),
        consecutive_failures: health.consecutive_failures,
    }
}
