//! One trace from the browser's `traceparent` to OpenAI and the trail.

mod collectors;
mod settings;

use futures_util::StreamExt;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest};

use crate::support::{
    Answer, Serve, Sim, Site, Stream,
    collector::{Collector, Taking, attribute},
    needle::Needle,
    post, random_hex, send, sim,
};

const MINT: &str = "/api/generate-client-secret";
const MINT_SPAN: &str = "POST /api/generate-client-secret";

/// A server whose spans wait until it ends, and all it takes for one.
struct House {
    collector: Collector,
    sim: Sim,
    site: Site,
    serve: Serve,
    caller: String,
}

impl House {
    async fn open(more: &str) -> Self {
        Self::open_to("service", more).await
    }

    /// A house whose caller has a role.
    async fn open_to(role: &str, more: &str) -> Self {
        let collector = Collector::start(Taking::All).await;
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let traces = format!(
            "{more}\n[traces]\nendpoint = \"{}\"\ngather_ms = 60000\n",
            collector.url
        );
        let site = Site::new(&sim.url, &key, &traces);
        let caller = site.api_key(role, "svc");
        let serve = Serve::start(&site);
        Self {
            collector,
            sim,
            site,
            serve,
            caller,
        }
    }

    async fn mint(&self, bearer: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = post(&self.serve.client, &self.serve.url(MINT), bearer, body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request).await
    }

    async fn metrics(&self) -> String {
        let url = self.serve.admin_url("/metrics");
        send(self.serve.client.get(url)).await.text
    }

    /// Ends the server, which sends what waits; the spans of a trace.
    fn spans_at_end(&mut self, trace: &str) -> Vec<Span> {
        assert!(self.serve.process.end(Signal::INT).success());
        let all = self.collector.spans().into_iter();
        all.filter(|span| hex(&span.trace_id) == trace).collect()
    }

    /// The log line of a request to a route.
    fn line(&self, route: &str) -> Value {
        let text = self.serve.process.text(Stream::Err);
        let lines = text.lines().filter_map(|it| serde_json::from_str(it).ok());
        let mut lines = lines.filter(|it: &Value| it["route"] == route);
        lines.next().expect("the request's line")
    }
}

fn hex(bytes: &[u8]) -> String {
    hallpass_core::ids::hex(bytes)
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
    let first = found
        .next()
        .unwrap_or_else(|| panic!("{name} in {names:?}"));
    assert!(found.next().is_none(), "{name} twice in {names:?}");
    first
}

fn told(span: &Span, key: &str) -> Option<String> {
    attribute(&span.attributes, key)
}

/// Each span is below the other, and within its time.
fn assert_below(spans: &[Span], pairs: &[(&str, &str)]) {
    for (name, parent) in pairs {
        let (span, parent) = (named(spans, name), named(spans, parent));
        assert_eq!(hex(&span.parent_span_id), hex(&parent.span_id), "{name}");
        assert!(
            span.start_time_unix_nano >= parent.start_time_unix_nano,
            "{name}"
        );
        assert!(
            span.end_time_unix_nano >= span.start_time_unix_nano,
            "{name}"
        );
        assert!(
            span.end_time_unix_nano <= parent.end_time_unix_nano,
            "{name}"
        );
    }
}

/// A sender's trace: its id, the sender's span, the header.
fn sender(flags: &str) -> (String, String, String) {
    let (trace, span) = (random_hex(16), random_hex(8));
    let header = format!("00-{trace}-{span}-{flags}");
    (trace, span, header)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browsers_trace_goes_on_through_every_step() {
    let mut house = House::open("").await;
    let (trace, sender, header) = sender("01");
    let subject = format!("subject-{}", random_hex(12));
    let token = house.site.token(&subject, 600);
    let headers = [("traceparent", header.as_str()), ("tracestate", "a=1,b=2")];
    let minted = house.mint(&token, &json!({}), &headers).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    let page = house.metrics().await;
    let spans = house.spans_at_end(&trace);

    let root = named(&spans, MINT_SPAN);
    assert_eq!(hex(&root.parent_span_id), sender);
    assert_eq!(root.kind(), SpanKind::Server);
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", MINT),
        ("http.response.status_code", "201"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
    ] {
        assert_eq!(told(root, key).as_deref(), Some(value), "{key}");
    }
    assert_below(
        &spans,
        &[
            ("wait for a place", MINT_SPAN),
            ("authenticate", MINT_SPAN),
            ("authorise", MINT_SPAN),
            ("admit", MINT_SPAN),
            ("mint", MINT_SPAN),
            ("audit intent", "mint"),
            ("ask upstream", "mint"),
            ("POST /realtime/client_secrets", "ask upstream"),
            ("record grant", MINT_SPAN),
            ("close audit", MINT_SPAN),
            ("audit outcome", "close audit"),
        ],
    );
    assert_eq!(spans.len(), 12, "no span that is not told of");
    assert!(spans.iter().all(|span| span.trace_state == "a=1,b=2"));
    let asked = named(&spans, "POST /realtime/client_secrets");
    assert_eq!(asked.kind(), SpanKind::Client);
    assert_eq!(told(asked, "server.address").as_deref(), Some("127.0.0.1"));
    assert_eq!(
        told(asked, "http.response.status_code").as_deref(),
        Some("200")
    );

    let line = house.line(MINT);
    assert_eq!(line["trace_id"], trace);
    assert_eq!(line["span_id"], hex(&root.span_id));
    assert_eq!(
        line["request_id"].as_str().map(str::to_owned),
        told(root, "hallpass.request.id")
    );
    assert!(
        page.contains(&format!("trace_id=\"{trace}\"")),
        "an exemplar"
    );

    let secret = minted.json()["value"].as_str().unwrap().to_owned();
    let key = house.site.standard_key.clone();
    for (name, text) in [
        ("secret", &secret),
        ("key", &key),
        ("token", &token),
        ("subject", &subject),
    ] {
        for sent in house.collector.sent() {
            Needle::new(name, text).assert_absent("what the collector was sent", &sent.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_a_trace_that_says_why() {
    let mut house = House::open("").await;
    let (trace, _, header) = sender("01");
    let headers = [("traceparent", header.as_str())];
    let refused = house
        .mint(&house.caller, &json!({ "profile": "hidden" }), &headers)
        .await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let spans = house.spans_at_end(&trace);
    assert_below(
        &spans,
        &[
            ("authenticate", MINT_SPAN),
            ("authorise", MINT_SPAN),
            ("audit outcome", "authorise"),
        ],
    );
    let root = named(&spans, MINT_SPAN);
    assert_eq!(
        told(root, "http.response.status_code").as_deref(),
        Some("403")
    );
    assert_eq!(told(root, "hallpass.code"), Some(refused.code()));
    // The caller's mistake is no error of this server.
    assert_eq!(
        root.status.clone().unwrap_or_default().code(),
        StatusCode::Unset
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attempt_at_openai_is_a_span_of_its_own() {
    let mut house = House::open("[mint]\nretry_budget_percent = 100\n").await;
    let fault = json!({ "route": "client_secrets", "kind": "status", "status": 500, "times": 1 });
    sim::fault(&house.serve.client, &house.sim.url, fault).await;
    let (trace, _, header) = sender("01");
    let headers = [("traceparent", header.as_str())];
    let minted = house.mint(&house.caller, &json!({}), &headers).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    let spans = house.spans_at_end(&trace);
    let around = named(&spans, "ask upstream");
    let mut tries: Vec<_> = spans
        .iter()
        .filter(|it| it.kind() == SpanKind::Client)
        .collect();
    tries.sort_by_key(|span| span.start_time_unix_nano);
    let [first, second] = tries.as_slice() else {
        panic!("{tries:?}");
    };
    for span in [first, second] {
        assert_eq!(span.parent_span_id, around.span_id);
    }
    assert_eq!(
        told(first, "http.response.status_code").as_deref(),
        Some("500")
    );
    assert_eq!(
        told(first, "error.type").as_deref(),
        Some("upstream_unavailable")
    );
    assert_eq!(first.status.clone().unwrap().code(), StatusCode::Error);
    assert_eq!(told(first, "http.request.resend_count"), None);
    assert_eq!(
        told(second, "http.request.resend_count").as_deref(),
        Some("1")
    );
    assert_eq!(
        second.status.clone().unwrap_or_default().code(),
        StatusCode::Unset
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_its_sender_does_not_keep_is_not_sent() {
    let mut house = House::open("").await;
    let (trace, _, header) = sender("00");
    let headers = [("traceparent", header.as_str())];
    let minted = house.mint(&house.caller, &json!({}), &headers).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    let page = house.metrics().await;
    assert!(
        !page.contains("trace_id="),
        "an exemplar would lead nowhere"
    );
    assert!(house.spans_at_end(&trace).is_empty());
    assert!(house.collector.sent().is_empty());
    let line = house.line(MINT);
    assert_eq!(line["trace_id"], trace, "the line has it all the same");
    assert_eq!(line["span_id"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_traceparent_begins_a_trace_of_its_own() {
    let mut house = House::open("").await;
    let (trace, _, header) = sender("01");
    let bad = header.replace("00-", "ff-");
    let headers = [("traceparent", bad.as_str()), ("tracestate", "a=1")];
    let minted = house.mint(&house.caller, &json!({}), &headers).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    assert!(house.spans_at_end(&trace).is_empty());
    let spans = house.collector.spans();
    let root = named(&spans, MINT_SPAN);
    assert!(root.parent_span_id.is_empty() && root.trace_state.is_empty());
    assert_eq!(house.line(MINT)["trace_id"], hex(&root.trace_id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayed_session_begins_with_a_span_linked_to_its_mint() {
    let profile = "[profiles.relayed]\nmode = \"relay\"\nmodes = [\"relay\"]\n\
        session = { type = \"realtime\", model = \"gpt-realtime-2.1\", instructions = \"Ask.\" }\n\
        [roles.caller]\nprofiles = [\"relayed\"]\npermissions = [\"grants:create\"]\n";
    let mut house = House::open_to("caller", profile).await;
    let asked = json!({ "profile": "relayed" });
    let minted = house.mint(&house.caller, &asked, &[]).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    let url = format!("ws://{}/v1/realtime", house.serve.public);
    let mut request = url.into_client_request().unwrap();
    let secret = minted.json()["value"].as_str().unwrap().to_owned();
    let offers = format!("realtime, openai-insecure-api-key.{secret}");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", offers.parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    // The session is there: its first event comes from the upstream.
    socket.next().await.unwrap().unwrap();
    assert!(house.serve.process.end(Signal::INT).success());

    let spans = house.collector.spans();
    let maker = named(&spans, MINT_SPAN);
    let upgrade = named(&spans, "GET /v1/realtime");
    let begun = named(&spans, "start session");
    assert_eq!(
        told(upgrade, "http.response.status_code").as_deref(),
        Some("101")
    );
    assert_eq!(
        (&begun.trace_id, &begun.parent_span_id),
        (&upgrade.trace_id, &upgrade.span_id)
    );
    assert_ne!(begun.trace_id, maker.trace_id);
    let [link] = begun.links.as_slice() else {
        panic!("{:?}", begun.links);
    };
    assert_eq!(
        (&link.trace_id, &link.span_id),
        (&maker.trace_id, &maker.span_id)
    );
    assert_eq!(named(&spans, "dial upstream").parent_span_id, begun.span_id);
    for sent in house.collector.sent() {
        Needle::new("pass", &secret).assert_absent("what the collector was sent", &sent.body);
    }
}
