//! Clients that take their time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{PATIENCE, SHORT, limits, read_answer, read_to_close, start};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_client_that_sends_nothing_is_closed() {
    let mut limits = limits();
    limits.first_byte = SHORT;
    let server = start(limits).await;
    let mut stream = server.connect().await;
    assert_eq!(read_to_close(&mut stream).await, "");
    assert_eq!(server.statistics.snapshot().timed_out, 1);
}

#[tokio::test]
async fn half_a_head_is_closed() {
    let mut limits = limits();
    limits.head = SHORT;
    let server = start(limits).await;
    let mut stream = server.connect_and_send("GET / HTTP/1.1\r\nHost:").await;
    assert_eq!(read_to_close(&mut stream).await, "");
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_trickled_head_is_closed() {
    let mut limits = limits();
    limits.head = SHORT;
    let server = start(limits).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    let trickle = tokio::spawn(async move {
        for byte in GET.as_bytes().iter().cycle() {
            if writer.write_all(&[*byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    });
    read_to_close(&mut reader).await;
    assert_eq!(server.requests(), 0);
    trickle.abort();
}

#[tokio::test]
async fn part_of_the_http2_preface_is_closed() {
    for part in ["P", "PRI * HTTP", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
        let mut limits = limits();
        limits.head = SHORT;
        let server = start(limits).await;
        let mut stream = server.connect_and_send(part).await;
        assert_eq!(read_to_close(&mut stream).await, "", "{part:?}");
    }
}

#[tokio::test]
async fn a_whole_http2_preface_and_nothing_more_is_closed() {
    let mut limits = limits();
    limits.head = SHORT;
    let server = start(limits).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut stream = server.connect_and_send(preface).await;
    read_to_close(&mut stream).await;
    assert_eq!(server.statistics.snapshot().timed_out, 1);
}

#[tokio::test]
async fn a_missing_body_is_answered_408_and_closed() {
    let mut limits = limits();
    limits.body = SHORT;
    let server = start(limits).await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    let mut stream = server.connect_and_send(head).await;
    let answer = read_to_close(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_trickled_body_is_answered_408_and_closed() {
    let mut limits = limits();
    limits.body = SHORT;
    let server = start(limits).await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";
    let (mut reader, mut writer) = server.connect_and_send(head).await.into_split();
    let trickle = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    });
    let answer = read_to_close(&mut reader).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    trickle.abort();
}

#[tokio::test]
async fn a_body_nobody_reads_does_not_hold_the_connection() {
    let mut limits = limits();
    limits.idle = SHORT;
    let server = start(limits).await;
    let head = "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    let mut stream = server.connect_and_send(head).await;
    let answer = read_to_close(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_answer() {
    let mut limits = limits();
    limits.idle = SHORT;
    let server = start(limits).await;
    let mut stream = server.connect_and_send(GET).await;
    let answered = Instant::now();
    assert!(read_answer(&mut stream).await.ends_with("hello"));
    assert_eq!(read_to_close(&mut stream).await, "");
    assert!(answered.elapsed() >= SHORT / 2);
}

#[tokio::test]
async fn a_connection_in_use_outlives_every_short_limit() {
    let mut limits = limits();
    (limits.first_byte, limits.head, limits.idle) = (SHORT, SHORT, SHORT);
    let server = start(limits).await;
    let mut stream = server.connect_and_send(GET).await;
    for _ in 0..10 {
        assert!(read_answer(&mut stream).await.ends_with("hello"));
        sleep(SHORT / 4).await;
        stream.write_all(GET.as_bytes()).await.unwrap();
    }
    assert!(read_answer(&mut stream).await.ends_with("hello"));
}

#[tokio::test]
async fn a_slow_handler_is_not_cut_by_the_connection_limits() {
    let mut limits = limits();
    (limits.first_byte, limits.head) = (SHORT, SHORT);
    (limits.idle, limits.write_stall) = (SHORT, SHORT);
    let server = start(limits).await;
    let request = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut stream = server.connect_and_send(request).await;
    server.until_entered().await;
    sleep(SHORT * 4).await;
    server.gate.add_permits(1);
    assert!(read_answer(&mut stream).await.ends_with("waited"));
}

#[tokio::test]
async fn half_a_head_sent_with_a_request_is_timed_as_a_head() {
    let mut limits = limits();
    limits.head = SHORT;
    let server = start(limits).await;
    let mut stream = server.connect_and_send(format!("{GET}GET / HT")).await;
    let answer = read_to_close(&mut stream).await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed() {
    let mut limits = limits();
    limits.write_stall = SHORT;
    let server = start(limits).await;
    let request = "GET /big HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut stream = server.connect_and_send(request).await;
    let closed = async {
        while server.statistics.snapshot().timed_out == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, closed)
        .await
        .expect("closed by write_stall");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < 64 << 20, "the answer was cut short");
}
