//! Requests no handler serves.

use std::sync::Arc;

use axum::{
    Extension, RequestExt,
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    response::Response,
};
use hallpass_core::{audit::Action, code::Code, refusal::Refusal, request::RequestFacts};
use http::Uri;

use crate::{answer::refused, app::App, observe::shape_of};

/// Whether the path's parameters are text; what has other bytes is no one's id.
pub(crate) async fn is_readable(request: &mut Request) -> bool {
    if !request.uri().path().contains('%') {
        return true;
    }
    let read = request.extract_parts::<RawPathParams>().await;
    !matches!(read, Err(RawPathParamsRejection::InvalidUtf8InPathParam(_)))
}

/// A path that is no route: not recorded, since nothing could have been done.
pub(crate) async fn not_found(
    Extension(facts): Extension<Arc<RequestFacts>>,
    uri: Uri,
) -> Response {
    let refusal = Refusal::new(
        Code::NotFound,
        "There is no such route. The routes are listed at /openapi.json.",
    );
    refused(shape_of(uri.path()), refusal, &facts.id, None)
}

/// A route without this method: recorded where another method could have done
/// something.
pub(crate) async fn method_not_allowed(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    uri: Uri,
) -> Response {
    let text = "This route does not serve this method. The Allow header lists those it serves.";
    let refusal = Refusal::new(Code::MethodNotAllowed, text);
    let refusal = match action_of(facts.route) {
        Some(action) => app.broker().refuse(facts.clone(), action, refusal).await,
        None => refusal,
    };
    refused(shape_of(uri.path()), refusal, &facts.id, None)
}

/// What a route does; none for probes and documents.
fn action_of(route: &str) -> Option<Action> {
    match route {
        route if route.starts_with("/api/admin/") => Some(Action::AdminRequest),
        route if route.starts_with("/api/client-secrets") => Some(Action::GrantRead),
        route if route.starts_with("/api/") || route.starts_with("/v1/") => {
            Some(Action::GrantCreate)
        }
        _ => None,
    }
}
