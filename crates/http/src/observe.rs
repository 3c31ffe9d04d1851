//! The layer around every handler: id, headers, counts, one log line.

use std::{
    convert::Infallible,
    net::IpAddr,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Extension, extract::Request, response::Response, routing::Route};
use futures_util::FutureExt;
use hallpass_core::{audit::Action, code::Code, refusal::Refusal, request::RequestFacts};
use hallpass_telemetry::traces::{RequestHead, RequestSpan};
use http::{HeaderValue, Version, header};
use tower::Service;

use crate::{
    answer::{ErrorShape, Told, refused},
    app::App,
    credentials::Surface,
    facts, front_guard,
    handlers::fallback,
    headers,
    serve::ConnectionFacts,
};

/// By which listener a request came in, and whether its sender was looked at:
/// from then on the pipeline sees to its final record, whatever happens.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    pub(crate) surface: Surface,
    looked_at: Arc<AtomicBool>,
}

impl Entrance {
    fn of(surface: Surface) -> Self {
        Self {
            surface,
            looked_at: Arc::default(),
        }
    }

    pub(crate) fn note_looked_at(&self) {
        self.looked_at.store(true, Ordering::SeqCst);
    }

    fn was_looked_at(&self) -> bool {
        self.looked_at.load(Ordering::SeqCst)
    }
}

/// Observes one request of a route from its head to its answer's head.
pub(crate) async fn observe(
    app: App,
    surface: Surface,
    route: Route,
    mut request: Request,
) -> Result<Response, Infallible> {
    let started = Instant::now();
    let _in_flight = app.metrics().http.enter();
    let facts = facts::gather(&app, &request);
    let version = request.version();
    let mut trace = begin_trace(&app, &facts, &request);
    request.extensions_mut().insert(facts.clone());
    let pages = match surface {
        Surface::Public => Some(app.origins()),
        Surface::Admin => None,
    };
    let origin = request.headers().get(header::ORIGIN).cloned();
    let preflight = pages.and_then(|pages| pages.preflight(&request));
    let mut response = match preflight {
        Some(response) => response,
        None => {
            let answering = pin!(answered(&app, &facts, surface, route, request));
            let mut response = trace.scope(answering).await;
            if let Some(pages) = pages {
                pages.expose(origin.as_ref(), response.headers_mut());
            }
            response
        }
    };
    headers::harden(response.headers_mut(), facts.route, app.https());
    if let Ok(id) = HeaderValue::from_str(facts.id.as_str()) {
        response.headers_mut().insert(facts::REQUEST_ID, id);
    }
    if app.draining() && version <= Version::HTTP_11 {
        // The next request of this connection goes to a server that stays.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    let (status, took) = (response.status().as_u16(), started.elapsed());
    app.metrics()
        .http
        .answered(facts.method, facts.route, status, took, trace.exemplar());
    let told = response.extensions().get::<Told>();
    log(&facts, status, told, &trace, took);
    let code = told.and_then(|told| told.code).map(Code::as_str);
    trace.answered(status, facts.id.as_str(), code);
    Ok(response)
}

/// The span of a request: what is told of it is what the log tells, without
/// what the caller wrote.
fn begin_trace(app: &App, facts: &RequestFacts, request: &Request) -> RequestSpan {
    let connection = request.extensions().get::<ConnectionFacts>();
    let is_tls = connection.is_some_and(|connection| connection.tls);
    let head = RequestHead {
        method: match facts.method {
            "OTHER" => "_OTHER",
            method => method,
        },
        route: Some(facts.route).filter(|route| *route != facts::UNMATCHED),
        scheme: if is_tls { "https" } else { "http" },
        version: match request.version() {
            Version::HTTP_2 => "2",
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        },
    };
    app.traces().begin(&head, request.headers())
}

/// The handler's answer; a defect in it ends this request and nothing else.
async fn answered(
    app: &App,
    facts: &Arc<RequestFacts>,
    surface: Surface,
    mut route: Route,
    mut request: Request,
) -> Response {
    let shape = shape_of(request.uri().path());
    let entrance = Entrance::of(surface);
    request.extensions_mut().insert(entrance.clone());
    let answered = async {
        match front_guard::admit(app, facts).await {
            Ok(()) if !fallback::is_readable(&mut request).await => {
                fallback::not_found(Extension(facts.clone()), request.uri().clone()).await
            }
            Ok(()) => route
                .call(request)
                .await
                .unwrap_or_else(|never| match never {}),
            Err(refusal) => refused(shape, refusal, &facts.id, None),
        }
    };
    let answered = AssertUnwindSafe(answered).catch_unwind().await;
    match answered {
        Ok(response) => response,
        Err(_) => refused(shape, defect(app, facts, &entrance).await, &facts.id, None),
    }
}

/// The refusal where a handler panicked, recorded.
async fn defect(app: &App, facts: &Arc<RequestFacts>, entrance: &Entrance) -> Refusal {
    app.metrics().http.panicked();
    let refusal = Refusal::new(
        Code::Internal,
        "Something failed inside the server. Tell the operator the request id.",
    )
    .internal("a handler panicked; the line before tells where");
    if entrance.was_looked_at() {
        return refusal;
    }
    let (broker, action) = (app.broker(), Action::Authenticate);
    broker.refuse(facts.clone(), action, refusal).await
}

/// The shape of errors below a path.
pub(crate) fn shape_of(path: &str) -> ErrorShape {
    match path {
        "/api/interview/realtime-token" => ErrorShape::Interview,
        path if path.starts_with("/v1/") => ErrorShape::OpenAi,
        _ => ErrorShape::Problem,
    }
}

fn log(
    facts: &RequestFacts,
    status: u16,
    told: Option<&Told>,
    trace: &RequestSpan,
    took: Duration,
) {
    let (trace_id, span_id) = (trace.trace_id(), trace.span_id());
    let duration_ms = (took.as_secs_f64() * 1_000_000.0).round() / 1000.0;
    let caller = told
        .and_then(|told| told.caller.as_ref())
        .map(hallpass_core::ids::Subject::as_str);
    let code = told.and_then(|told| told.code).map(Code::as_str);
    let cause = told.and_then(|told| told.internal.as_deref());
    let grant = told
        .and_then(|told| told.grant.as_ref())
        .map(hallpass_core::ids::GrantId::as_str);
    let address = facts.address.map(address_text);
    let (method, route, request_id) = (facts.method, facts.route, facts.id.as_str());
    if status >= 500 {
        tracing::warn!(
            method,
            route,
            status,
            duration_ms,
            caller,
            address,
            request_id,
            trace_id,
            span_id,
            code,
            cause,
            "request failed"
        );
    } else {
        tracing::info!(
            method,
            route,
            status,
            duration_ms,
            caller,
            address,
            request_id,
            trace_id,
            span_id,
            code,
            grant,
            cause,
            "request"
        );
    }
}

/// Most addresses are of version 4, and `Display` takes ten times as long.
fn address_text(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else {
        return address.to_string();
    };
    let mut number = itoa::Buffer::new();
    let mut text = String::with_capacity("255.255.255.255".len());
    for octet in address.octets() {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(number.format(octet));
    }
    text
}
