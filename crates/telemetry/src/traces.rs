//! OpenTelemetry traces: spans of requests and their steps, sent over OTLP.
//!
//! A request's span is made where it comes in ([`Traces::begin`]) and is the
//! current one of whatever runs in its scope; [`step()`] makes spans below it.
//! Where a request is not sampled there is no current span, and a step costs a
//! look at a flag.

mod batch;
mod link;
mod parent;
mod queue;
mod request;
mod sender;
mod step;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};

use crate::TraceMetrics;
use link::Links;

pub use link::SpanLink;
pub use request::{RequestHead, RequestSpan};
pub use sender::{Collector, Retry, SpanSender, Untaken};
pub use step::{Scope, Step, call, current, failed, ids, inject, is_recording, linked, note, step};

/// The name spans are made under, and the schema their attributes follow.
const SCOPE: &str = "hallpass";

/// Whether any traces were started in this process.
static ON: AtomicBool = AtomicBool::new(false);

#[inline]
fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Which traces are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TraceSampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A part of all, 0 to 1, chosen by their ids.
    Ratio(f64),
}

/// What is traced, and how spans are gathered.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// Which traces are sent.
    pub sampler: TraceSampler,
    /// Whether what the caller's `traceparent` says goes before that.
    pub parent_based: bool,
    /// What the spans are of: `service.name` and so on.
    pub resource: Vec<(String, String)>,
    /// Spans that may wait to be sent; further ones are dropped.
    pub queue: usize,
    /// Spans sent together at most.
    pub batch: usize,
    /// How long a span may wait for others.
    pub gather: Duration,
    /// A chance from 0 to 1, for waits that differ between servers.
    pub chance: fn() -> f64,
}

/// Where spans are made; the default makes none.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Tracing>>);

struct Tracing {
    tracer: SdkTracer,
    sampler: TraceSampler,
    parent_based: bool,
    links: Links,
}

impl Traces {
    /// Starts to make spans. They are sent by the [`SpanSender`], which has to
    /// be run.
    #[must_use]
    pub fn start(
        settings: TraceSettings,
        collector: Arc<dyn Collector>,
        metrics: TraceMetrics,
    ) -> (Self, SpanSender) {
        let attributes = settings.resource.iter().cloned();
        let attributes = attributes.map(|(key, value)| KeyValue::new(key, value));
        let resource = Resource::builder_empty()
            .with_attributes(attributes)
            .build();
        let (queue, waiting) = queue::queue(&settings, metrics.clone());
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler(&settings))
            .with_resource(resource.clone())
            .with_span_processor(queue)
            .build();
        let tracing = Tracing {
            tracer: provider.tracer(SCOPE),
            sampler: settings.sampler,
            parent_based: settings.parent_based,
            links: Links::default(),
        };
        ON.store(true, Ordering::Relaxed);
        let sender = SpanSender::new(settings, waiting, collector, metrics, &resource);
        (Self(Some(Arc::new(tracing))), sender)
    }

    /// Notes that the current span made a secret, for the session that uses it.
    pub fn made(&self, grant: &str) {
        if let Some(tracing) = &self.0 {
            tracing.links.keep(grant);
        }
    }

    /// The span that made a secret here a short while ago, where it was sampled.
    #[must_use]
    pub fn maker(&self, grant: &str) -> Option<SpanLink> {
        self.0.as_ref()?.links.take(grant)
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.0.is_some() { "on" } else { "off" };
        write!(f, "Traces({state})")
    }
}

fn sampler(settings: &TraceSettings) -> Sampler {
    let root = match settings.sampler {
        TraceSampler::AlwaysOn => Sampler::AlwaysOn,
        TraceSampler::AlwaysOff => Sampler::AlwaysOff,
        TraceSampler::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
    };
    if settings.parent_based {
        Sampler::ParentBased(Box::new(root))
    } else {
        root
    }
}
