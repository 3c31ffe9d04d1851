//! Setup answers in the shapes other people's hooks read.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use hallpass_api::{
    answer::AiSdkAnswer,
    mint::{AiSdkRequest, read_ai_sdk},
    problem::Problem,
};
use hallpass_core::request::RequestFacts;
use http::StatusCode;

use super::mint::{answer, issue};
use crate::{
    answer::{ErrorShape, good},
    app::App,
};

/// Set up a session of Vercel's AI SDK
///
/// What `experimental_useRealtime` asks for, with its option
/// `api: {token: "/api/setup/ai-sdk"}`: the caller's first profile, over a
/// WebSocket.
#[utoipa::path(
    post,
    path = "/api/setup/ai-sdk",
    operation_id = "set_up_ai_sdk",
    tag = "client secrets",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body within 30 seconds get the same secret")),
    request_body(content = AiSdkRequest, description = "Every member is optional."),
    responses(
        (status = 200, description = "The secret", body = AiSdkAnswer<'static>),
        (status = 400, description = "A member is unknown or wrong", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 401, description = "No good credential", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 403, description = "Not allowed", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 408, description = "The body came too slowly", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 413, description = "Body over 64 KiB", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 415, description = "Body not JSON", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key was used for another request", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 429, description = "A limit is reached", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 500, description = "A defect of the server", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 502, description = "OpenAI's answer can't be used, or it refused the profile", body = Problem<'static>, content_type = "application/problem+json"),
        (status = 503, description = "OpenAI, the trail or a store is away", body = Problem<'static>, content_type = "application/problem+json", headers(("retry-after" = u64, description = "Seconds to wait"))),
        (status = 504, description = "OpenAI did not answer in time", body = Problem<'static>, content_type = "application/problem+json"),
    ),
    security(("api_key" = []), ("jwt" = []), ("session_cookie" = [])),
)]
pub(crate) async fn ai_sdk(
    State(app): State<App>,
    Extension(facts): Extension<Arc<RequestFacts>>,
    request: Request,
) -> Response {
    let issued = issue(&app, &facts, request, read_ai_sdk).await;
    answer(&app, &facts, ErrorShape::Problem, issued, |issued| {
        good(StatusCode::OK, &AiSdkAnswer::new(issued))
    })
}
