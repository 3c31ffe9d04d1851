//! A simulator on a real socket, and plain clients for it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use futures_util::{SinkExt, StreamExt};
use hallpass_sim::{Simulator, SimulatorConfig};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, handshake::client::Response},
};

/// Unix seconds at which every test begins.
pub(crate) const START: u64 = 1_800_000_000;

/// A standard key, in pieces so that no scanner takes it for a real one.
pub(crate) fn standard_key() -> String {
    ["sk-", "proj-", "0123456789", "abcdefAAAA"].concat()
}

pub(crate) struct Sim {
    pub(crate) simulator: Simulator,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Sim {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut SimulatorConfig)) -> Self {
        let clock = Arc::new(AtomicU64::new(START));
        let read = Arc::clone(&clock);
        let mut config = SimulatorConfig::new(Arc::new(move || {
            SystemTime::UNIX_EPOCH + Duration::from_secs(read.load(Ordering::Relaxed))
        }));
        config.seed = Some(1);
        config.response_pace = Duration::ZERO;
        change(&mut config);
        let simulator = Simulator::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = simulator.clone();
        let task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            served.serve(listener, None, stopped).await;
        });
        Self {
            simulator,
            address,
            clock,
            stop: Some(stop),
            task,
        }
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.task.await.unwrap();
    }

    pub(crate) async fn send(&self, request: Outgoing) -> Result<Answer, String> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let uri = format!("http://{}{}", self.address, request.path);
        let mut builder = http::Request::builder().method(request.method).uri(uri);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let body = Full::new(bytes::Bytes::from(request.body));
        let response = client.request(builder.body(body).unwrap()).await;
        let response = response.map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        Ok(Answer {
            parts,
            body: body.to_vec(),
        })
    }

    pub(crate) async fn call(&self, request: Outgoing) -> Answer {
        self.send(request).await.unwrap()
    }

    pub(crate) async fn mint(&self, body: &Value) -> Answer {
        self.call(mint_request(body)).await
    }

    pub(crate) async fn secret(&self, body: &Value) -> String {
        let answer = self.mint(body).await.json();
        answer["value"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn fault(&self, spec: &Value) {
        let answer = self.call(post("/_sim/faults").json(spec)).await;
        assert_eq!(answer.status(), 201, "{}", answer.text());
    }

    pub(crate) async fn socket(&self, query: &str, headers: &[(&'static str, &str)]) -> Socket {
        self.try_socket(query, headers).await.unwrap().0
    }

    pub(crate) async fn try_socket(
        &self,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Socket, Response), tokio_tungstenite::tungstenite::Error> {
        let uri = format!("ws://{}/v1/realtime{query}", self.address);
        let mut request = uri.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let (stream, response) = connect_async(request).await?;
        Ok((Socket { stream }, response))
    }
}

pub(crate) fn mint_request(body: &Value) -> Outgoing {
    post("/v1/realtime/client_secrets")
        .key(&standard_key())
        .json(body)
}

pub(crate) struct Outgoing {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn request(method: &'static str, path: &str) -> Outgoing {
    Outgoing {
        method,
        path: path.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

pub(crate) fn post(path: &str) -> Outgoing {
    request("POST", path)
}

impl Outgoing {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(&body.to_string())
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self
    }
}

pub(crate) struct Answer {
    pub(crate) parts: http::response::Parts,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.parts.status.as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.parts
            .headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

pub(crate) struct Socket {
    pub(crate) stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub(crate) async fn send(&mut self, event: &Value) {
        self.send_message(Message::text(event.to_string())).await;
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// The next frame that is no ping.
    pub(crate) async fn frame(&mut self) -> Option<Message> {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(10), self.stream.next()).await;
            match next.expect("a frame within ten seconds") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    pub(crate) async fn event(&mut self) -> Value {
        let frame = self.frame().await;
        let Some(Message::Text(text)) = frame else {
            panic!("no event but {frame:?}")
        };
        serde_json::from_str(&text).unwrap()
    }

    /// Events up to and with the first of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            events.push(self.event().await);
            if events.last().unwrap()["type"] == kind {
                return events;
            }
        }
    }

    pub(crate) async fn close(&mut self) -> Option<(u16, String)> {
        match self.frame().await? {
            Message::Close(frame) => {
                let frame = frame.unwrap();
                Some((frame.code.into(), frame.reason.to_string()))
            }
            other => panic!("no close but {other:?}"),
        }
    }
}

pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Compares shapes: the same members, the same JSON types.
pub(crate) fn assert_same_shape(given: &Value, wanted: &Value) {
    assert_shape(given, wanted, "$");
}

fn assert_shape(given: &Value, wanted: &Value, path: &str) {
    match (given, wanted) {
        (Value::Object(given), Value::Object(wanted)) => {
            let (mut ours, mut theirs): (Vec<_>, Vec<_>) =
                (given.keys().collect(), wanted.keys().collect());
            ours.sort();
            theirs.sort();
            assert_eq!(ours, theirs, "members of {path}");
            for (name, value) in wanted {
                assert_shape(&given[name], value, &format!("{path}.{name}"));
            }
        }
        (Value::Array(given), Value::Array(wanted)) => {
            for (index, (given, wanted)) in given.iter().zip(wanted).enumerate() {
                assert_shape(given, wanted, &format!("{path}[{index}]"));
            }
        }
        _ => assert_eq!(
            kind(given),
            kind(wanted),
            "type of {path}: {given} and {wanted}"
        ),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A session of the realtime model most tests use.
pub(crate) fn realtime() -> Value {
    json!({"session": {"type": "realtime", "model": "gpt-realtime-2.1"}})
}
