//! What the operator says: by OpenTelemetry's variables, samplers, upstreams.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, Uri},
    response::IntoResponse,
};
use tokio::sync::watch;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opentelemetrys_own_variables_are_enough() {
    let collector = Collector::start(Taking::All).await;
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let site = Site::new(&sim.url, &key, "");
    let caller = site.api_key("service", "svc");
    let password = random_hex(16);
    let mut command = site.command(&["serve"]);
    command
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("{}/otlp/", collector.url),
        )
        .env(
            "OTEL_EXPORTER_OTLP_HEADERS",
            format!("Authorization=Bearer%20{password},x-tenant=a"),
        )
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        .env("OTEL_SERVICE_NAME", "voice")
        .env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=other,deployment.environment.name=a%20b",
        )
        .env("OTEL_BSP_SCHEDULE_DELAY", "60000");
    let mut serve = Serve::start_by(command);
    let answer = send(post(&serve.client, &serve.url(MINT), &caller, &json!({}))).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert!(serve.process.end(Signal::INT).success());

    let sent = collector.sent().remove(0);
    assert_eq!(sent.path, "/otlp/v1/traces");
    assert_eq!(sent.headers["authorization"], format!("Bearer {password}"));
    assert_eq!(sent.headers["x-tenant"], "a");
    assert_eq!(sent.headers["content-type"], "application/x-protobuf");
    let resource = collector.resources().remove(0).resource.unwrap();
    let of = |key: &str| attribute(&resource.attributes, key);
    assert_eq!(of("service.name").as_deref(), Some("voice"));
    assert_eq!(of("deployment.environment.name").as_deref(), Some("a b"));
    assert_eq!(
        of("service.version").as_deref(),
        Some(env!("CARGO_PKG_VERSION"))
    );
    assert!(of("service.instance.id").is_some());
    let log = serve.process.text(Stream::Err);
    Needle::new("the collector's password", &password).assert_absent("the log", log.as_bytes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sampler_without_parent_asks_nobody() {
    let mut house = House::open("").await;
    house.serve.process.kill_9();
    house.site.change(
        "[traces]",
        "[traces]\nsampler = \"traceidratio\"\nratio = 0.0",
    );
    house.serve = Serve::start(&house.site);
    let (trace, _, header) = sender("01");
    let headers = [("traceparent", header.as_str())];
    let minted = house.mint(&house.caller, &json!({}), &headers).await;
    assert_eq!(minted.status, 201, "{}", minted.text);
    assert!(
        house.spans_at_end(&trace).is_empty(),
        "the caller's flag is not followed"
    );
}

/// Passes requests on to an upstream and keeps their heads.
async fn listening_in(upstream: &str) -> (String, Arc<watch::Sender<Vec<HeaderMap>>>) {
    let heads: Arc<watch::Sender<Vec<HeaderMap>>> = Arc::default();
    let state = (upstream.to_owned(), reqwest::Client::new(), heads.clone());
    type Way = (String, reqwest::Client, Arc<watch::Sender<Vec<HeaderMap>>>);
    let pass = |State((upstream, client, heads)): State<Way>,
                uri: Uri,
                headers: HeaderMap,
                body: Bytes| async move {
        heads.send_modify(|all| all.push(headers.clone()));
        let mut request = client.post(format!("{upstream}{}", uri.path())).body(body);
        for name in ["authorization", "content-type", "openai-safety-identifier"] {
            if let Some(value) = headers.get(name) {
                request = request.header(HeaderName::from_static(name), value);
            }
        }
        let answer = request.send().await.unwrap();
        let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
        let kind = [("content-type", "application/json")];
        (status, kind, answer.bytes().await.unwrap()).into_response()
    };
    let router = Router::new().fallback(pass).with_state(state);
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(socket, router).await });
    (url, heads)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_hears_of_traces_only_where_the_operator_says_so() {
    for (line, hears) in [("", false), ("traceparent = true\n", true)] {
        let collector = Collector::start(Taking::All).await;
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let (between, heads) = listening_in(&sim.url).await;
        let traces = format!(
            "[traces]\nendpoint = \"{}\"\ngather_ms = 60000\n",
            collector.url
        );
        let site = Site::new(&between, &key, &traces);
        site.change("timeout_ms = 2000\n", &format!("timeout_ms = 2000\n{line}"));
        let caller = site.api_key("service", "svc");
        let mut serve = Serve::start(&site);
        let (trace, _, header) = sender("01");
        let request = post(&serve.client, &serve.url(MINT), &caller, &json!({}));
        let request = request
            .header("traceparent", header)
            .header("tracestate", "a=1");
        assert_eq!(send(request).await.status, 201);
        assert!(serve.process.end(Signal::INT).success());
        let heads = heads.borrow().clone();
        assert_eq!(heads.len(), 1);
        if !hears {
            assert!(!heads[0].contains_key("traceparent") && !heads[0].contains_key("tracestate"));
            continue;
        }
        let spans = collector.spans();
        let asked = named(&spans, "POST /realtime/client_secrets");
        let expected = format!("00-{trace}-{}-01", hex(&asked.span_id));
        assert_eq!(heads[0]["traceparent"], expected);
        assert_eq!(heads[0]["tracestate"], "a=1");
    }
}
