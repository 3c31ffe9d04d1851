//! What the spans of one mint cost: while traces are off, for a request that is
//! not sampled, and for one that is.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make the entry point"
)]

use std::{hint::black_box, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use hallpass_telemetry::{
    Metrics,
    traces::{
        Collector, RequestHead, TraceSampler, TraceSettings, Traces, Untaken, call, note, step,
    },
};
use http::{HeaderMap, HeaderValue};

const HEAD: RequestHead = RequestHead {
    method: "POST",
    route: Some("/api/generate-client-secret"),
    scheme: "https",
    version: "1.1",
};

/// Steps of a mint, below each other and after each other.
const STEPS: usize = 11;

struct Nobody;

#[async_trait]
impl Collector for Nobody {
    async fn take(&self, _: Bytes) -> Result<Bytes, Untaken> {
        Ok(Bytes::new())
    }
}

fn settings(sampler: TraceSampler) -> TraceSettings {
    TraceSettings {
        sampler,
        parent_based: true,
        resource: Vec::new(),
        queue: 2048,
        batch: 512,
        gather: Duration::from_secs(5),
        chance: || 0.5,
    }
}

/// As many steps as a mint has, each ready at once.
async fn mint() -> u64 {
    let mut sum = 0;
    for number in 0..STEPS - 2 {
        sum += step("step", async move { black_box(number as u64) }).await;
    }
    let asked = call("POST", async {
        note("http.response.status_code", 200_i64);
        black_box(1)
    });
    sum + step("ask upstream", asked).await
}

async fn bare() -> u64 {
    let mut sum = 0;
    for number in 0..STEPS {
        sum += async move { black_box(number as u64) }.await;
    }
    sum
}

fn request(traces: &Traces, headers: &HeaderMap) -> u64 {
    let mut span = traces.begin(&HEAD, headers);
    let sum = ready(span.scope(mint()));
    span.answered(201, "request", None);
    sum
}

/// Runs what waits for nothing.
fn ready<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut task) {
            return output;
        }
    }
}

fn mints(criterion: &mut Criterion) {
    let mut headers = HeaderMap::new();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";
    criterion.bench_function("no steps", |bench| bench.iter(|| ready(bare())));
    let off = Traces::default();
    criterion.bench_function("off", |bench| bench.iter(|| request(&off, &headers)));
    let start = |sampler| {
        let metrics = Metrics::new("x");
        // Nobody sends: what is over the queue is dropped, as it is where the
        // collector is slow.
        Traces::start(settings(sampler), Arc::new(Nobody), metrics.traces)
    };
    let (traces, _sender) = start(TraceSampler::AlwaysOn);
    for (name, flag) in [("not sampled", "00"), ("sampled", "01")] {
        let value = HeaderValue::try_from(format!("{parent}{flag}")).unwrap();
        headers.insert("traceparent", value);
        criterion.bench_function(name, |bench| bench.iter(|| request(&traces, &headers)));
    }
}

criterion_group!(benches, mints);
criterion_main!(benches);
