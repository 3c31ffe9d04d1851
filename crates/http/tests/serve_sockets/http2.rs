//! HTTP/2 with prior knowledge on a plain socket.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{sleep, timeout};

use crate::support::{PATIENCE, Running, SHORT, limits, start};

struct Client {
    requests: SendRequest<Body>,
    closed: tokio::task::JoinHandle<()>,
}

async fn connect(server: &Running, window: Option<u32>) -> Client {
    let io = TokioIo::new(server.connect().await);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (requests, connection) = builder.handshake(io).await.unwrap();
    let closed = tokio::spawn(async move {
        let _ = connection.await;
    });
    Client { requests, closed }
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://a{path}"))
        .body(Body::empty())
        .unwrap()
}

impl Client {
    async fn text(&mut self, request: Request<Body>) -> (StatusCode, String) {
        let answer = self.requests.send_request(request).await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn until_closed(self) {
        timeout(PATIENCE, self.closed)
            .await
            .expect("closed")
            .unwrap();
    }
}

#[tokio::test]
async fn requests_run_side_by_side() {
    let server = start(limits()).await;
    let mut client = connect(&server, None).await;
    let waiting = client.requests.send_request(get("/wait"));
    server.until_entered().await;
    assert_eq!(
        client.text(get("/")).await,
        (StatusCode::OK, "hello".into())
    );
    server.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let mut limits = limits();
    limits.idle = SHORT;
    limits.h2_ping_interval = SHORT / 4;
    let server = start(limits).await;
    let mut client = connect(&server, None).await;
    client.text(get("/")).await;
    client.until_closed().await;
}

#[tokio::test]
async fn a_missing_body_is_answered_408_and_others_go_on() {
    let mut limits = limits();
    limits.body = SHORT;
    let server = start(limits).await;
    let mut client = connect(&server, None).await;
    let endless =
        Body::from_stream(futures_util::stream::pending::<Result<&str, std::io::Error>>());
    let request = Request::post("http://a/echo").body(endless).unwrap();
    let answer = client.requests.send_request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(client.text(get("/")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_closed_window_is_a_stalled_reader() {
    let mut limits = limits();
    limits.write_stall = SHORT;
    limits.first_byte = SHORT;
    let server = start(limits).await;
    let client = connect(&server, Some(1)).await;
    let mut requests = client.requests.clone();
    let answer = requests.send_request(get("/big")).await.unwrap();
    client.until_closed().await;
    assert!(answer.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_slow_handler_is_not_a_stalled_reader() {
    let mut limits = limits();
    (limits.write_stall, limits.first_byte, limits.idle) = (SHORT, SHORT, SHORT);
    let server = start(limits).await;
    let client = connect(&server, None).await;
    let mut requests = client.requests.clone();
    let waiting = requests.send_request(get("/wait"));
    server.until_entered().await;
    sleep(SHORT * 4).await;
    server.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_soft_stop_finishes_the_streams() {
    let server = start(limits()).await;
    let mut client = connect(&server, None).await;
    let waiting = client.requests.send_request(get("/wait"));
    server.until_entered().await;
    server.shutdown.soft.cancel();
    sleep(Duration::from_millis(20)).await;
    server.gate.add_permits(1);
    let answer = waiting.await.unwrap();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(bytes, "waited");
    client.until_closed().await;
    assert_eq!(server.report().await.cut, 0);
}

#[tokio::test]
async fn a_panic_takes_one_stream() {
    let server = start(limits()).await;
    let mut client = connect(&server, None).await;
    assert!(client.requests.send_request(get("/panic")).await.is_err());
    assert_eq!(client.text(get("/")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn fields_of_a_connection_are_refused() {
    let server = start(limits()).await;
    let mut client = connect(&server, None).await;
    // The client library itself refuses to send these, so the bytes are ours.
    let (mut reader, mut writer) = server.connect().await.into_split();
    let bytes = raw_request_with(b"connection", b"close");
    tokio::io::AsyncWriteExt::write_all(&mut writer, &bytes)
        .await
        .unwrap();
    let mut answer = Vec::new();
    let reset = async {
        while !answer.windows(9).any(|frame| frame == RESET_STREAM_1) {
            let count = tokio::io::AsyncReadExt::read_buf(&mut reader, &mut answer)
                .await
                .unwrap();
            assert_ne!(count, 0, "{answer:?}");
        }
    };
    timeout(PATIENCE, reset).await.expect("the stream is reset");
    assert_eq!(server.requests(), 0);
    assert_eq!(client.text(get("/")).await.0, StatusCode::OK);
}

/// Length 4, type 3, no flags, stream 1.
const RESET_STREAM_1: [u8; 9] = [0, 0, 4, 3, 0, 0, 0, 0, 1];

/// Preface, empty SETTINGS, and `GET / http a` with one field more.
fn raw_request_with(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut block = vec![0x82, 0x84, 0x86, 0x01, 1, b'a', 0x00];
    for text in [name, value] {
        block.push(u8::try_from(text.len()).unwrap());
        block.extend_from_slice(text);
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    bytes.extend([0, 0, u8::try_from(block.len()).unwrap(), 1, 5, 0, 0, 0, 1]);
    bytes.extend(block);
    bytes
}
