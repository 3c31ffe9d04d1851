//! What Prometheus scrapes; on the admin listener only.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;

use crate::app::App;

/// All metrics
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, description = "All metrics, in the OpenMetrics text format", content_type = "application/openmetrics-text", body = String)),
)]
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    app.metrics().audit.waiting(app.health().waiting_grants());
    let live = app.broker().sessions().live.count();
    app.metrics().sessions.live(live);
    let runtime = tokio::runtime::Handle::current();
    app.metrics()
        .tasks
        .alive(runtime.metrics().num_alive_tasks());
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    (
        [(header::CONTENT_TYPE, content_type)],
        app.metrics().encode(),
    )
        .into_response()
}
