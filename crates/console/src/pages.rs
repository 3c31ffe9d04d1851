//! One file for each page.

pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod keys;
pub(crate) mod overview;
pub(crate) mod record;
pub(crate) mod revocations;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod upstreams;
pub(crate) mod usage;
pub(crate) mod users;

use axum::response::{IntoResponse, Response};
use hallpass_api::status;
use hallpass_core::{audit::Action, code::Code, refusal::Refusal};
use http::{HeaderValue, StatusCode, header};
use maud::html;

use crate::{
    answer::{go, known, page},
    layout::{self, Frame},
    operator::Operator,
    text::shown,
    visit::Visit,
};

/// Where an operator signs in.
pub(crate) const SIGN_IN: &str = "/console/sign-in";
/// The same, where their session has just ended.
pub(crate) const SESSION_OVER: &str = "/console/sign-in?over=1";

/// `/console` leads to `/console/`.
pub(crate) async fn move_in() -> Response {
    go("/console/")
}

/// A page that is not there.
pub(crate) async fn not_found(visit: Visit) -> Response {
    let entered = match visit.enter(Action::ConsoleRead, None).await {
        Ok(entered) => entered,
        Err(response) => return response,
    };
    let refusal = Refusal::new(Code::NotFound, "There is no such page in the console.");
    let operator = entered.operator;
    let refusal = entered.slip.refuse(refusal).await;
    refused(&visit, &refusal, Some(&operator))
}

/// The answer where a part of the server is missing: a defect.
pub(crate) fn defect() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// The page that says why something was not done.
pub(crate) fn refused(visit: &Visit, refusal: &Refusal, operator: Option<&Operator>) -> Response {
    let status = status_of(refusal);
    let unwritable = refusal.code == Code::AuditUnavailable;
    let main = html! {
        section.card.narrow {
            p.note data-state="bad" role="alert" { (shown(&refusal.detail)) }
            @if unwritable {
                p { "Nothing is issued, and no page of the console is shown, while the trail can't be written. "
                    a href="/health" { "/health" } " says how the server is. Look at the disk of the audit folder." }
            }
            p.soft { "Code " code { (refusal.code.as_str()) } ", request " code { (visit.facts.id.as_str()) } "." }
            p { a.button href="/console/" { "To the overview" } }
        }
    };
    let title = status::title(refusal.code);
    let markup = match operator {
        Some(operator) => {
            let frame = Frame {
                title,
                place: "",
                events: None,
            };
            layout::page(&frame, operator, &main)
        }
        None => layout::outside(title, &html! { h1 { (title) } (main) }),
    };
    let mut response = page(status, markup);
    if let Some(wait) = refusal.retry_after {
        let seconds = wait.as_secs().max(1);
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    match operator {
        Some(operator) => known(response, operator.name()),
        None => response,
    }
}

/// The status of a refusal.
pub(crate) fn status_of(refusal: &Refusal) -> StatusCode {
    StatusCode::from_u16(status::status(refusal.code)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
