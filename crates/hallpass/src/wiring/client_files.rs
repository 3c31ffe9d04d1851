//! The browser SDK, as pages load it from this server by a script tag.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// Everything but React, as `Hallpass`; built by `web/build.mjs`.
const SCRIPT: &str = include_str!("../../../../web/dist/client.js");
/// Capture and playback on the audio thread, which has to be a file.
const WORKLET: &str = include_str!("../../../../web/dist/client.worklet.js");

/// `/client.js` and `/client.worklet.js`.
pub(crate) fn routes() -> Router {
    Router::new()
        .route("/client.js", get(|| async { script(SCRIPT) }))
        .route("/client.worklet.js", get(|| async { script(WORKLET) }))
}

/// A public script: any page may load it, for it holds nothing of anyone's.
fn script(text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A worklet is fetched as a module, so across origins by these rules.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    let resource_policy = (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    (headers, [resource_policy], text).into_response()
}
