//! Steps of a request, as spans below its own.

use std::{
    future::Future,
    pin::Pin,
    task::{self, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, KeyValue, Value,
    trace::{Link, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::SdkTracer;
use pin_project_lite::pin_project;

use super::{is_on, link::SpanLink};

/// The tracer of a sampled request, carried with its spans.
pub(super) struct CurrentTracer(pub(super) SdkTracer);

pin_project! {
    /// A future whose time is a span.
    pub struct Step<F> {
        #[pin]
        inner: F,
        state: State,
    }

    impl<F> PinnedDrop for Step<F> {
        fn drop(this: Pin<&mut Self>) {
            if let State::Open(context) = this.project().state {
                // Its end is the drop's: whoever asked went away.
                context.span().set_attribute(KeyValue::new("hallpass.abandoned", true));
            }
        }
    }
}

enum State {
    /// Not polled yet.
    Fresh(Plan),
    /// There is nothing to tell.
    Off,
    /// The span is open.
    Open(Context),
    /// The span around it is another's to end.
    Within(Context),
}

struct Plan {
    name: &'static str,
    kind: SpanKind,
    link: Option<Box<SpanLink>>,
}

/// A step of the request under way, such as `authenticate`.
pub fn step<F: Future>(name: &'static str, inner: F) -> Step<F> {
    planned(name, SpanKind::Internal, None, inner)
}

/// A step that asks another server.
pub fn call<F: Future>(name: &'static str, inner: F) -> Step<F> {
    planned(name, SpanKind::Client, None, inner)
}

/// A step that follows from what another trace did.
pub fn linked<F: Future>(name: &'static str, link: Option<SpanLink>, inner: F) -> Step<F> {
    planned(name, SpanKind::Internal, link.map(Box::new), inner)
}

fn planned<F>(
    name: &'static str,
    kind: SpanKind,
    link: Option<Box<SpanLink>>,
    inner: F,
) -> Step<F> {
    let state = if is_on() {
        State::Fresh(Plan { name, kind, link })
    } else {
        State::Off
    };
    Step { inner, state }
}

impl Plan {
    /// The span, where the one around it is sampled.
    fn begin(&mut self) -> State {
        let around = Context::current();
        let Some(CurrentTracer(tracer)) = around.get() else {
            return State::Off;
        };
        let mut span = SpanBuilder::from_name(self.name).with_kind(self.kind.clone());
        if let Some(link) = self.link.take() {
            span = span.with_links(vec![Link::with_context(link.0)]);
        }
        let span = tracer.build_with_context(span, &around);
        State::Open(around.with_span(span))
    }
}

impl<F: Future> Future for Step<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let State::Fresh(plan) = this.state {
            *this.state = plan.begin();
        }
        let (State::Open(context) | State::Within(context)) = &*this.state else {
            return this.inner.poll(task);
        };
        let entered = context.clone().attach();
        let polled = this.inner.poll(task);
        drop(entered);
        if polled.is_ready() {
            if let State::Open(context) = &*this.state {
                context.span().end();
            }
            *this.state = State::Off;
        }
        polled
    }
}

/// What is current now, to be carried into a task.
#[derive(Clone, Default)]
pub struct Scope(Option<Context>);

/// The scope around, empty where the request is not sampled.
#[must_use]
pub fn current() -> Scope {
    if !is_on() {
        return Scope(None);
    }
    let around = Context::current();
    Scope(around.get::<CurrentTracer>().is_some().then_some(around))
}

impl Scope {
    pub(super) const fn of(context: Option<Context>) -> Self {
        Self(context)
    }

    /// A future whose steps are below the span of this scope.
    pub fn carry<F: Future>(&self, inner: F) -> Step<F> {
        let state = self.0.clone().map_or(State::Off, State::Within);
        Step { inner, state }
    }
}

/// Whether there is a current span that is sampled.
#[must_use]
pub fn is_recording() -> bool {
    is_on() && Context::map_current(|around| around.get::<CurrentTracer>().is_some())
}

/// Notes something of the current span. Nothing of a caller belongs there.
pub fn note(key: &'static str, value: impl Into<Value>) {
    if is_on() {
        Context::map_current(|around| {
            around.span().set_attribute(KeyValue::new(key, value));
        });
    }
}

/// Notes that the current span failed, by a word of a closed set.
pub fn failed(error: &'static str) {
    if is_on() {
        Context::map_current(|around| {
            let span = around.span();
            span.set_attribute(KeyValue::new("error.type", error));
            span.set_status(Status::error(""));
        });
    }
}

/// The ids of the current span's trace and of itself, where it is sampled.
#[must_use]
pub fn ids() -> Option<(String, String)> {
    if !is_on() {
        return None;
    }
    Context::map_current(|around| {
        around.get::<CurrentTracer>()?;
        let span = around.span();
        let ids = span.span_context();
        Some((ids.trace_id().to_string(), ids.span_id().to_string()))
    })
}

/// Adds `traceparent` and `tracestate` of the current span, where it is sampled.
pub fn inject(headers: &mut HeaderMap) {
    let Some((trace_id, span_id)) = ids() else {
        return;
    };
    let parent = format!("00-{trace_id}-{span_id}-01");
    let state = Context::map_current(|around| around.span().span_context().trace_state().header());
    for (name, text) in [("traceparent", parent), ("tracestate", state)] {
        if let (false, Ok(value)) = (text.is_empty(), HeaderValue::try_from(text)) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
