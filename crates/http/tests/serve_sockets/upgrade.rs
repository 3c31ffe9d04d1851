//! A WebSocket leaves the limits behind, but keeps its place.

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::routing::any;
use hallpass_http::serve::{Server, Shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::support::{PATIENCE, SHORT, limits, read_to_close};

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A masked text frame with one letter; the mask is zero.
const LETTER: [u8; 7] = [0x81, 0x81, 0, 0, 0, 0, b'q'];
const ECHO: [u8; 3] = [0x81, 0x01, b'q'];

async fn echo(upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(Message::Text(text))) = socket.recv().await {
            if socket.send(Message::Text(text)).await.is_err() {
                return;
            }
        }
    })
}

struct Upgraded {
    stream: TcpStream,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<hallpass_http::serve::Report>,
    statistics: std::sync::Arc<hallpass_http::serve::Statistics>,
}

async fn open() -> Upgraded {
    let mut limits = limits();
    (limits.first_byte, limits.head) = (SHORT, SHORT);
    (limits.idle, limits.body) = (SHORT, SHORT);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/ws", any(echo));
    let server = Server::new(listener, router).limits(limits);
    let statistics = server.statistics();
    let shutdown = Shutdown {
        soft: Default::default(),
        hard: Default::default(),
        drain: SHORT,
    };
    let task = tokio::spawn(server.run(shutdown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"));
    Upgraded {
        stream,
        shutdown,
        task,
        statistics,
    }
}

async fn exchange(stream: &mut TcpStream) {
    stream.write_all(&LETTER).await.unwrap();
    let mut echo = [0; 3];
    let read = timeout(PATIENCE, stream.read_exact(&mut echo)).await;
    read.expect("an echo").unwrap();
    assert_eq!(echo, ECHO);
}

#[tokio::test]
async fn a_websocket_outlives_the_limits_and_keeps_its_place() {
    let mut open = open().await;
    exchange(&mut open.stream).await;
    sleep(SHORT * 4).await;
    exchange(&mut open.stream).await;
    assert_eq!(open.statistics.snapshot().open, 1);
    assert_eq!(open.statistics.snapshot().timed_out, 0);
    drop(open.stream);
    open.shutdown.soft.cancel();
    let report = timeout(PATIENCE, open.task).await.unwrap().unwrap();
    assert_eq!((report.cut, report.counts.open), (0, 0));
}

#[tokio::test]
async fn a_websocket_that_stays_is_cut_after_the_drain() {
    let mut open = open().await;
    open.shutdown.soft.cancel();
    exchange(&mut open.stream).await;
    read_to_close(&mut open.stream).await;
    let report = timeout(PATIENCE, open.task).await.unwrap().unwrap();
    assert_eq!((report.cut, report.counts.open), (1, 0));
}
