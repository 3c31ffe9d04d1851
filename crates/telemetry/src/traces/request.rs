//! The span of one request, by the HTTP semantic conventions.

use std::future::Future;

use http::HeaderMap;
use opentelemetry::{
    Context, KeyValue,
    trace::{SpanBuilder, SpanKind, Status, TraceContextExt, Tracer},
};

use super::{
    TraceSampler, Traces, Tracing,
    parent::Parent,
    step::{CurrentTracer, Scope, Step},
};

/// Probes and scrapes, of which there are no spans: they would be most of all.
const UNTRACED: [&str; 4] = ["/livez", "/readyz", "/health", "/metrics"];

/// What is told of a request from its head: nothing a caller chose but the
/// method of a closed set.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead {
    /// Its method, of a closed set.
    pub method: &'static str,
    /// The route it matched; none where it matched none.
    pub route: Option<&'static str>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// `1.0`, `1.1` or `2`.
    pub version: &'static str,
}

/// The span of a request, and how others name it.
///
/// Dropped without an answer, it ends as abandoned.
pub struct RequestSpan {
    /// Where it is sampled.
    context: Option<Context>,
    trace_id: Option<String>,
    /// Whether somebody keeps the trace: we, or the sender where we make none.
    kept: bool,
}

impl Traces {
    /// Begins the span of a request, as a part of the trace its headers name.
    #[must_use]
    pub fn begin(&self, head: &RequestHead, headers: &HeaderMap) -> RequestSpan {
        let parent = Parent::of(headers);
        match &self.0 {
            Some(tracing) if tracing.may_sample(head, parent) => {
                tracing.begin(head, parent, headers)
            }
            traces => RequestSpan {
                context: None,
                trace_id: parent.map(|parent| parent.trace_id.to_owned()),
                kept: parent
                    .is_some_and(|parent| parent.sampled && (traces.is_none() || is_probe(head))),
            },
        }
    }
}

fn is_probe(head: &RequestHead) -> bool {
    head.route.is_some_and(|route| UNTRACED.contains(&route))
}

impl Tracing {
    /// Whether the sampler has to be asked: what is decided by the flag, or once
    /// and for all, costs no span.
    fn may_sample(&self, head: &RequestHead, parent: Option<Parent<'_>>) -> bool {
        if is_probe(head) {
            return false;
        }
        match parent.filter(|_| self.parent_based) {
            Some(parent) => parent.sampled,
            None => self.sampler != TraceSampler::AlwaysOff,
        }
    }

    fn begin(
        &self,
        head: &RequestHead,
        parent: Option<Parent<'_>>,
        headers: &HeaderMap,
    ) -> RequestSpan {
        let around = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent.context(headers)),
            None => Context::new(),
        };
        let span = SpanBuilder::from_name(head.method).with_kind(SpanKind::Server);
        let span = self.tracer.build_with_context(span, &around);
        let context = around.with_span(span);
        let span = context.span();
        let trace_id = Some(span.span_context().trace_id().to_string());
        let kept = span.span_context().is_sampled();
        if kept {
            describe(&context, head);
        }
        let tracer = CurrentTracer(self.tracer.clone());
        RequestSpan {
            context: kept.then(|| context.with_value(tracer)),
            trace_id,
            kept,
        }
    }
}

fn describe(context: &Context, head: &RequestHead) {
    let span = context.span();
    if let Some(route) = head.route {
        span.update_name(format!("{} {route}", head.method));
        span.set_attribute(KeyValue::new("http.route", route));
    }
    span.set_attributes([
        KeyValue::new("http.request.method", head.method),
        KeyValue::new("url.scheme", head.scheme),
        KeyValue::new("network.protocol.name", "http"),
        KeyValue::new("network.protocol.version", head.version),
    ]);
}

impl RequestSpan {
    /// A future whose steps are below this span.
    pub fn scope<F: Future>(&self, inner: F) -> Step<F> {
        Scope::of(self.context.clone()).carry(inner)
    }

    /// The trace's id, sampled or not.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    /// The span's id, where it is sampled.
    #[must_use]
    pub fn span_id(&self) -> Option<String> {
        let context = self.context.as_ref()?;
        Some(context.span().span_context().span_id().to_string())
    }

    /// The trace's id where somebody keeps it: an exemplar leads there.
    #[must_use]
    pub fn exemplar(&self) -> Option<String> {
        self.trace_id.clone().filter(|_| self.kept)
    }

    /// Ends it with the answer's status, and the request's id and code of
    /// refusal, by which log and audit trail know it.
    pub fn answered(&mut self, status: u16, request_id: &str, code: Option<&'static str>) {
        let Some(context) = self.context.take() else {
            return;
        };
        let span = context.span();
        span.set_attribute(KeyValue::new(
            "http.response.status_code",
            i64::from(status),
        ));
        span.set_attribute(KeyValue::new("hallpass.request.id", request_id.to_owned()));
        if let Some(code) = code {
            span.set_attribute(KeyValue::new("hallpass.code", code));
        }
        if status >= 500 {
            let error = code.map_or_else(|| status.to_string(), str::to_owned);
            span.set_attribute(KeyValue::new("error.type", error));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for RequestSpan {
    fn drop(&mut self) {
        if let Some(context) = self.context.take() {
            let span = context.span();
            span.set_attribute(KeyValue::new("hallpass.abandoned", true));
            span.end();
        }
    }
}
