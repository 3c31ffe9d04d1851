//! Spans and their sending, with a collector in memory and a clock that waits
//! for nobody.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span,
};
use prost::Message;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{Metrics, json_lines::tests::logged};

const HEAD: RequestHead = RequestHead {
    method: "POST",
    route: Some("/api/generate-client-secret"),
    scheme: "https",
    version: "2",
};

/// Takes what it is given, or gives the answers it was told to.
#[derive(Default)]
struct Desk {
    answers: Mutex<Vec<Untaken>>,
    came: Mutex<Vec<Bytes>>,
    asked: Notify,
}

#[async_trait]
impl Collector for Desk {
    async fn take(&self, request: Bytes) -> Result<Bytes, Untaken> {
        self.came.lock().unwrap().push(request);
        self.asked.notify_one();
        let answer = self.answers.lock().unwrap().pop();
        answer.map_or_else(|| Ok(Bytes::new()), Err)
    }
}

impl Desk {
    fn spans(&self) -> Vec<Span> {
        let came = self.came.lock().unwrap();
        let requests = came
            .iter()
            .map(|body| ExportTraceServiceRequest::decode(&**body).unwrap());
        let scopes = requests
            .flat_map(|it| it.resource_spans)
            .flat_map(|it| it.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

fn settings() -> TraceSettings {
    TraceSettings {
        sampler: TraceSampler::AlwaysOn,
        parent_based: true,
        resource: vec![("service.name".to_owned(), "test".to_owned())],
        queue: 16,
        batch: 8,
        gather: Duration::from_secs(5),
        chance: || 0.0,
    }
}

struct Stage {
    traces: Traces,
    desk: Arc<Desk>,
    metrics: Metrics,
    stop: CancellationToken,
    sending: tokio::task::JoinHandle<()>,
}

fn stage(settings: TraceSettings) -> Stage {
    let desk = Arc::new(Desk::default());
    let metrics = Metrics::new("x");
    let (traces, sender) = Traces::start(settings, desk.clone(), metrics.traces.clone());
    let stop = CancellationToken::new();
    Stage {
        traces,
        desk,
        metrics,
        sending: tokio::spawn(sender.run(stop.clone())),
        stop,
    }
}

impl Stage {
    fn request(&self) {
        let mut span = self.traces.begin(&HEAD, &HeaderMap::new());
        span.answered(200, "r", None);
    }

    /// Sends what is left.
    async fn end(self) -> Arc<Desk> {
        self.stop.cancel();
        self.sending.await.unwrap();
        self.desk
    }

    fn counted(&self, outcome: &str) -> u64 {
        let name = format!("hallpass_trace_spans_total{{outcome=\"{outcome}\"}} ");
        let page = self.metrics.encode();
        let line = page.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |number| number.parse().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn steps_are_below_the_step_around_them() {
    let stage = stage(settings());
    let mut request = stage.traces.begin(&HEAD, &HeaderMap::new());
    let inner = async {
        note("inner", true);
        step("inmost", async {}).await;
        assert!(ids().is_some());
    };
    let outer = async {
        call("inner", inner).await;
        failed("late");
    };
    request.scope(step("outer", outer)).await;
    assert!(ids().is_none(), "nothing is current outside");
    request.answered(503, "r-1", Some("code"));
    let spans = stage.end().await.spans();
    let id = |name: &str| {
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("{name} in {spans:?}"))
    };
    let root = id("POST /api/generate-client-secret");
    for (name, parent) in [
        ("outer", root),
        ("inner", id("outer")),
        ("inmost", id("inner")),
    ] {
        assert_eq!(id(name).parent_span_id, parent.span_id, "{name}");
    }
    assert_eq!(spans.len(), 4);
    assert_eq!(
        (id("inner").kind, id("outer").kind),
        (3, 1),
        "client and internal"
    );
    assert_eq!(id("outer").status.as_ref().unwrap().code, 2);
    assert_eq!(root.status.as_ref().unwrap().code, 2);
    assert!(id("inner").attributes.iter().any(|it| it.key == "inner"));
}

#[tokio::test(start_paused = true)]
async fn lines_of_a_sampled_request_name_their_span() {
    let stage = stage(settings());
    let request = stage.traces.begin(&HEAD, &HeaderMap::new());
    let tell = || logged(|| tracing::warn!(cause = "x", "it happened"));
    let line = request.scope(step("inner", async { tell() })).await;
    let (trace, span) = (
        request.trace_id().unwrap().to_owned(),
        request.span_id().unwrap(),
    );
    drop(request);
    let inner = stage.end().await.spans().remove(0);
    let id: String = inner
        .span_id
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let end = format!("\"cause\":\"x\",\"trace_id\":\"{trace}\",\"span_id\":\"{id}\"}}\n");
    assert!(line.ends_with(&end) && id != span, "{line}");
    assert!(!tell().contains("trace_id"), "outside there is none");
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_leaves_spans_that_say_so() {
    let stage = stage(settings());
    let request = stage.traces.begin(&HEAD, &HeaderMap::new());
    let mut waiting = Box::pin(request.scope(step("wait", std::future::pending::<()>())));
    assert!(futures_poll(&mut waiting).is_pending());
    drop(waiting);
    drop(request);
    let spans = stage.end().await.spans();
    assert_eq!(spans.len(), 2);
    for span in spans {
        let abandoned =
            |it: &&opentelemetry_proto::tonic::common::v1::KeyValue| it.key == "hallpass.abandoned";
        assert!(
            span.attributes.iter().find(abandoned).is_some(),
            "{}",
            span.name
        );
    }
}

fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut task)
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sampled_makes_nothing() {
    let stage = stage(TraceSettings {
        sampler: TraceSampler::AlwaysOff,
        ..settings()
    });
    let mut request = stage.traces.begin(&HEAD, &HeaderMap::new());
    request
        .scope(step("outer", async {
            assert!(ids().is_none() && !is_recording());
            let mut headers = HeaderMap::new();
            inject(&mut headers);
            assert!(headers.is_empty());
        }))
        .await;
    assert_eq!((request.span_id(), request.exemplar()), (None, None));
    request.answered(200, "r", None);
    assert!(stage.end().await.spans().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_parents_flag_counts_where_the_sampler_says_so() {
    for (parent_based, sampler, flags, sampled) in [
        (true, TraceSampler::AlwaysOff, "01", true),
        (true, TraceSampler::AlwaysOn, "00", false),
        (false, TraceSampler::AlwaysOff, "01", false),
        (false, TraceSampler::AlwaysOn, "00", true),
        (true, TraceSampler::Ratio(0.0), "01", true),
        (false, TraceSampler::Ratio(0.0), "01", false),
        (false, TraceSampler::Ratio(1.0), "00", true),
    ] {
        let stage = stage(TraceSettings {
            sampler,
            parent_based,
            ..settings()
        });
        let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(&text).unwrap());
        let request = stage.traces.begin(&HEAD, &headers);
        assert_eq!(request.exemplar().is_some(), sampled, "{sampler:?} {flags}");
        assert_eq!(request.trace_id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }
}

#[tokio::test(start_paused = true)]
async fn probes_are_not_traced() {
    let stage = stage(settings());
    let head = RequestHead {
        route: Some("/livez"),
        ..HEAD
    };
    let mut request = stage.traces.begin(&head, &HeaderMap::new());
    assert_eq!(request.trace_id(), None);
    request.answered(200, "r", None);
    assert!(stage.end().await.spans().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_whole_batch_does_not_wait_and_what_does_not_fit_is_counted() {
    let stage = stage(settings());
    for _ in 0..20 {
        stage.request();
    }
    assert_eq!(stage.counted("dropped"), 4);
    stage.desk.asked.notified().await;
    stage.desk.asked.notified().await;
    let desk = stage.end().await;
    assert_eq!(desk.came.lock().unwrap().len(), 2);
    assert_eq!(desk.spans().len(), 16);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_sent_until_it_is_taken_or_given_up() {
    let again = || Untaken {
        why: "busy".to_owned(),
        retry: Retry::After(None),
    };
    for (failures, taken) in [(4, true), (5, false)] {
        let stage = stage(settings());
        *stage.desk.answers.lock().unwrap() = (0..failures).map(|_| again()).collect();
        stage.request();
        for _ in 0..5 {
            stage.desk.asked.notified().await;
        }
        stage.request();
        let outcome = if taken { "exported" } else { "failed" };
        while stage.counted(outcome) == 0 {
            tokio::task::yield_now().await;
        }
        let desk = stage.end().await;
        assert_eq!(
            desk.came.lock().unwrap().len(),
            6,
            "the next one is sent all the same"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_will_never_be_taken_is_not_sent_again() {
    let stage = stage(settings());
    let never = Untaken {
        why: "bad".to_owned(),
        retry: Retry::Never,
    };
    stage.desk.answers.lock().unwrap().push(never);
    stage.request();
    while stage.counted("failed") == 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(stage.end().await.came.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_linked_to_what_made_its_pass() {
    let stage = stage(settings());
    let maker = stage.traces.begin(&HEAD, &HeaderMap::new());
    maker.scope(async { stage.traces.made("g-1") }).await;
    let user = stage.traces.begin(&HEAD, &HeaderMap::new());
    let link = stage.traces.maker("g-1");
    user.scope(linked("start session", link, async {})).await;
    drop((maker, user));
    let spans = stage.end().await.spans();
    let started = spans
        .iter()
        .find(|span| span.name == "start session")
        .unwrap();
    assert_eq!(started.links.len(), 1);
    assert_ne!(started.links[0].trace_id, started.trace_id);
}

#[tokio::test]
async fn nothing_is_made_while_traces_are_off() {
    let traces = Traces::default();
    let mut request = traces.begin(&HEAD, &HeaderMap::new());
    request
        .scope(step("x", async { assert!(ids().is_none()) }))
        .await;
    assert_eq!((request.trace_id(), request.exemplar()), (None, None));
    request.answered(200, "r", None);
    assert!(traces.maker("g").is_none());
}
