//! Whoever is sent spans: an OTLP receiver that reads the protobuf.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, Span},
};
use prost::Message;
use tokio::{sync::watch, task::JoinHandle};

/// What it does with what it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taking {
    All,
    /// All but so many spans of each request.
    AllBut(i64),
    /// Answers with a status.
    Status(u16),
    /// Sends whoever comes elsewhere.
    Redirects(String),
    /// Answers nothing.
    Nothing,
}

/// What came in one request.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone)]
struct Desk {
    taking: Arc<watch::Sender<Taking>>,
    sent: Arc<watch::Sender<Vec<Sent>>>,
}

/// A running receiver.
pub(crate) struct Collector {
    pub(crate) url: String,
    desk: Desk,
    serving: JoinHandle<()>,
}

impl Collector {
    pub(crate) async fn start(taking: Taking) -> Self {
        let desk = Desk {
            taking: Arc::new(watch::Sender::new(taking)),
            sent: Arc::default(),
        };
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(desk.clone());
        let serving = tokio::spawn(async move {
            axum::serve(socket, router).await.unwrap();
        });
        Self { url, desk, serving }
    }

    pub(crate) fn set(&self, taking: Taking) {
        self.desk.taking.send_replace(taking);
    }

    /// What came by now, taken or not.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.desk.sent.borrow().clone()
    }

    /// Waits until so many requests came.
    pub(crate) async fn asked(&self, times: usize) {
        let mut sent = self.desk.sent.subscribe();
        let wait = sent.wait_for(|sent| sent.len() >= times);
        let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
        drop(waited.expect("a request in time").unwrap());
    }

    /// What the spans that came are of, each with its spans.
    pub(crate) fn resources(&self) -> Vec<ResourceSpans> {
        let decoded = |sent: Sent| ExportTraceServiceRequest::decode(&*sent.body).unwrap();
        let requests = self.sent().into_iter().map(decoded);
        requests.flat_map(|it| it.resource_spans).collect()
    }

    /// The spans that came by now.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let scopes = self.resources().into_iter().flat_map(|it| it.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(desk): State<Desk>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let sent = Sent {
        path: uri.path().to_owned(),
        headers,
        body: body.to_vec(),
    };
    desk.sent.send_modify(|all| all.push(sent));
    let taking = desk.taking.borrow().clone();
    match taking {
        Taking::All => StatusCode::OK.into_response(),
        Taking::AllBut(rejected_spans) => {
            let partial = ExportTracePartialSuccess {
                rejected_spans,
                error_message: "too old".to_owned(),
            };
            let answer = ExportTraceServiceResponse {
                partial_success: Some(partial),
            };
            answer.encode_to_vec().into_response()
        }
        Taking::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Taking::Redirects(to) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
        }
        Taking::Nothing => std::future::pending().await,
    }
}

/// The text of an attribute; a number as its digits.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|it| it.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(truth) => Some(truth.to_string()),
        other => panic!("{key} is {other:?}"),
    }
}
