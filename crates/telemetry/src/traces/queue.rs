//! Spans that ended and wait to be sent.

use std::{sync::Arc, time::Duration};

use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use tokio::sync::{Notify, mpsc};

use super::TraceSettings;
use crate::TraceMetrics;

/// Takes spans as they end; never waits.
#[derive(Debug)]
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    /// Told when a whole batch waits.
    full: Arc<Notify>,
    batch: usize,
    metrics: TraceMetrics,
}

/// The queue's other end.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) spans: mpsc::Receiver<SpanData>,
    pub(super) full: Arc<Notify>,
}

/// A queue of so many spans.
pub(super) fn queue(settings: &TraceSettings, metrics: TraceMetrics) -> (Queue, Waiting) {
    let (spans, waiting) = mpsc::channel(settings.queue.max(1));
    let full = Arc::new(Notify::new());
    let queue = Queue {
        spans,
        full: full.clone(),
        batch: settings.batch,
        metrics,
    };
    let waiting = Waiting {
        spans: waiting,
        full,
    };
    (queue, waiting)
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.metrics.dropped(1);
        }
        let waiting = self.spans.max_capacity() - self.spans.capacity();
        if waiting >= self.batch {
            self.full.notify_one();
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.full.notify_one();
        Ok(())
    }

    /// What waits is sent by whoever runs the sender.
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
