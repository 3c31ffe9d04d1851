//! What all admin routes share: the way in, and the answer.

use std::sync::Arc;

use axum::{body::Body, extract::Request, response::Response};
use bytes::Bytes;
use hallpass_core::{
    audit::Action, ids::Subject, permission::Permission, pipeline::AuditSlip, ports::StoreError,
    refusal::Refusal, request::RequestFacts,
};
use http::request::Parts;

use super::mint::{Refused, enter};
use crate::{
    answer::{ErrorShape, Told, refused},
    app::App,
    body,
    door::Place,
};

/// A request whose sender may do what it asks for.
pub(crate) struct Asked<'a> {
    pub(crate) slip: AuditSlip<'a>,
    pub(crate) caller: Subject,
    parts: Parts,
    body: Body,
}

/// Authenticates a request and holds it against a permission.
pub(crate) async fn ask<'a>(
    app: &'a App,
    facts: &Arc<RequestFacts>,
    request: Request,
    (action, permission): (Action, Permission),
) -> Result<Asked<'a>, Refused> {
    let (parts, body) = request.into_parts();
    let slip = enter(app, facts, &parts.headers, &parts, action).await?;
    let caller = slip.caller().subject.clone();
    match slip.require(permission).await {
        Ok(slip) => Ok(Asked {
            slip,
            caller,
            parts,
            body,
        }),
        Err(refusal) => Err(Refused {
            refusal,
            caller: Some(caller),
        }),
    }
}

impl<'a> Asked<'a> {
    /// Reads the body; what can't be read is refused and recorded.
    pub(crate) async fn read<T>(
        self,
        read: impl FnOnce(&Bytes) -> Result<T, Refusal>,
    ) -> Result<(AuditSlip<'a>, T), Refusal> {
        let bytes = body::read(&self.parts.headers, self.body).await;
        take(self.slip, bytes, read).await
    }

    /// Reads the body without keeping others out while it dawdles.
    pub(crate) async fn read_aside<T>(
        self,
        place: &mut Place<'_>,
        read: impl FnOnce(&Bytes) -> Result<T, Refusal>,
    ) -> Result<(AuditSlip<'a>, T), Refusal> {
        let bytes = place.aside(body::read(&self.parts.headers, self.body));
        take(self.slip, bytes.await.flatten(), read).await
    }

    /// The request's headers.
    pub(crate) const fn headers(&self) -> &http::HeaderMap {
        &self.parts.headers
    }

    /// The request's address.
    pub(crate) const fn uri(&self) -> &http::Uri {
        &self.parts.uri
    }
}

async fn take<'a, T>(
    slip: AuditSlip<'a>,
    bytes: Result<Bytes, Refusal>,
    read: impl FnOnce(&Bytes) -> Result<T, Refusal>,
) -> Result<(AuditSlip<'a>, T), Refusal> {
    match bytes.and_then(|bytes| read(&bytes)) {
        Ok(value) => Ok((slip, value)),
        Err(refusal) => Err(slip.refuse(refusal).await),
    }
}

/// The answer of an admin route.
pub(crate) fn answer(
    facts: &RequestFacts,
    result: Result<(Response, Subject), Refused>,
) -> Response {
    match result {
        Ok((mut response, caller)) => {
            response.extensions_mut().insert(Told {
                caller: Some(caller),
                ..Told::default()
            });
            response
        }
        Err(Refused { refusal, caller }) => {
            refused(ErrorShape::Problem, refusal, &facts.id, caller)
        }
    }
}

/// Names the caller in a result.
pub(crate) fn known(
    caller: Subject,
    result: Result<Response, Refusal>,
) -> Result<(Response, Subject), Refused> {
    match result {
        Ok(response) => Ok((response, caller)),
        Err(refusal) => Err(Refused {
            refusal,
            caller: Some(caller),
        }),
    }
}

/// The refusal where a store does not answer.
pub(crate) fn store_refused(error: &StoreError) -> Refusal {
    let text = "The server can't reach its records now. Try again later.";
    Refusal::new(hallpass_core::code::Code::StoreUnavailable, text).internal(error.to_string())
}
