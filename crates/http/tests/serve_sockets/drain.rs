//! Stopping: what was begun is finished, within a bound.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::{PATIENCE, Running, SHORT, limits, read_answer, read_to_close, start};

const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";

async fn in_flight(server: &Running) -> TcpStream {
    let stream = server.connect_and_send(WAIT).await;
    server.until_entered().await;
    stream
}

#[tokio::test]
async fn a_soft_stop_finishes_the_request_and_refuses_new_connections() {
    let server = start(limits()).await;
    let mut stream = in_flight(&server).await;
    let mut idle = server
        .connect_and_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    read_answer(&mut idle).await;
    server.shutdown.soft.cancel();
    assert_eq!(read_to_close(&mut idle).await, "", "idle closes at once");
    assert!(TcpStream::connect(server.address).await.is_err());
    assert!(!server.task.is_finished(), "it waits for the request");
    server.gate.add_permits(1);
    let answer = read_to_close(&mut stream).await;
    assert!(answer.ends_with("waited"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    let report = server.report().await;
    assert_eq!(
        (report.cut, report.counts.open, report.counts.accepted),
        (0, 0, 2)
    );
}

#[tokio::test]
async fn a_silent_connection_does_not_hold_up_a_soft_stop() {
    let server = start(limits()).await;
    let mut silent = server.connect().await;
    let mut started = server.connect_and_send("GET / HT").await;
    let mut other = in_flight(&server).await;
    server.shutdown.soft.cancel();
    read_to_close(&mut silent).await;
    read_to_close(&mut started).await;
    server.gate.add_permits(1);
    read_to_close(&mut other).await;
    assert_eq!(server.report().await.cut, 0);
}

#[tokio::test]
async fn a_hard_stop_drops_what_is_under_way() {
    let server = start(limits()).await;
    let mut stream = in_flight(&server).await;
    server.shutdown.soft.cancel();
    server.shutdown.hard.cancel();
    assert_eq!(read_to_close(&mut stream).await, "");
    let report = server.report().await;
    assert_eq!((report.cut, report.counts.open), (1, 0));
}

#[tokio::test]
async fn a_hard_stop_reaches_a_connection_that_was_told_to_finish() {
    let server = start(limits()).await;
    let mut stream = in_flight(&server).await;
    server.shutdown.soft.cancel();
    // One thread runs all, so the connection has its turn and hears of it.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    server.shutdown.hard.cancel();
    assert_eq!(read_to_close(&mut stream).await, "");
    let report = server.report().await;
    assert_eq!((report.cut, report.counts.open), (1, 0));
}

#[tokio::test]
async fn a_hard_stop_alone_suffices() {
    let server = start(limits()).await;
    let mut stream = in_flight(&server).await;
    server.shutdown.hard.cancel();
    assert_eq!(read_to_close(&mut stream).await, "");
    assert_eq!(server.report().await.cut, 1);
}

#[tokio::test]
async fn the_drain_is_bounded() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let never = axum::routing::get(std::future::pending::<&str>);
    let router = axum::Router::new().route("/", never);
    let shutdown = hallpass_http::serve::Shutdown {
        soft: Default::default(),
        hard: Default::default(),
        drain: SHORT,
    };
    let server = hallpass_http::serve::Server::new(listener, router);
    let statistics = server.statistics();
    let task = tokio::spawn(server.run(shutdown.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    while statistics.snapshot().open == 0 {
        tokio::task::yield_now().await;
    }
    // The request has to be under way, or the stop closes an idle connection.
    tokio::time::sleep(SHORT / 2).await;
    let stopped = Instant::now();
    shutdown.soft.cancel();
    let report = timeout(PATIENCE, task).await.expect("bounded").unwrap();
    assert_eq!(report.cut, 1);
    assert!(stopped.elapsed() >= SHORT);
}
