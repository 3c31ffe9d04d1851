//! Requests that two servers could read differently.

use std::sync::atomic::Ordering::SeqCst;

use tokio::io::AsyncWriteExt;

use crate::support::{SHORT, limits, read_answer, read_to_close, start};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Everything before the request that must never be seen as one.
const CORPUS: &[(&str, &str)] = &[
    ("no host", "GET / HTTP/1.1\r\n\r\n"),
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    (
        "lengths that differ",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n",
    ),
    (
        "lengths that agree",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "a list of lengths",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n",
    ),
    (
        "a signed length",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
    ),
    (
        "a negative length",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ),
    (
        "an empty length",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
    ),
    (
        "length, then encoding",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "encoding, then length",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ),
    (
        "encoding on 1.0",
        "POST /echo HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "an unknown encoding",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "an encoding behind a tab",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked twice",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked, then identity",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ),
    (
        "a folded encoding",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a folded line",
        "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n",
    ),
    (
        "a space before the colon",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n",
    ),
    (
        "a space before the name",
        "POST /echo HTTP/1.1\r\n Host: a\r\n\r\n",
    ),
    (
        "a bare LF after the request line",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
    ),
    (
        "a bare LF after a field",
        "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    ),
    (
        "a bare LF as the blank line",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
    ),
    (
        "a bare CR in a value",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: 3\r\n\r\n",
    ),
    ("a bare CR as line end", "GET / HTTP/1.1\rHost: a\r\r"),
    (
        "a NUL in a value",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    ),
    (
        "a chunk extension",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;x=\"y\"\r\n\r\n",
    ),
    (
        "a chunk size ended by LF",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n",
    ),
    (
        "a prefixed chunk size",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    ),
    (
        "a chunk size beyond 64 bits",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
    ),
    (
        "a chunk longer than its size",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    ),
];

#[tokio::test]
async fn ambiguous_framing_is_refused_and_smuggles_nothing() {
    let server = start(limits()).await;
    for (name, bytes) in CORPUS {
        let mut stream = server.connect_and_send(format!("{bytes}{SMUGGLED}")).await;
        let answer = read_to_close(&mut stream).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400");
        assert!(refused, "{name}: {answer}");
        assert_eq!(
            answer.matches("HTTP/1.").count(),
            usize::from(!answer.is_empty())
        );
    }
    assert_eq!(server.seen.smuggled.load(SeqCst), 0);
}

#[tokio::test]
async fn it_is_refused_byte_by_byte_too() {
    let server = start(limits()).await;
    for (name, bytes) in CORPUS {
        let mut stream = server.connect().await;
        stream.set_nodelay(true).unwrap();
        for byte in format!("{bytes}{SMUGGLED}").bytes() {
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let answer = read_to_close(&mut stream).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400");
        assert!(refused, "{name}: {answer}");
    }
    assert_eq!(server.seen.smuggled.load(SeqCst), 0);
}

#[tokio::test]
async fn a_sound_request_before_a_bad_one_is_answered() {
    let server = start(limits()).await;
    let bytes = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\nHost: a\r\n\r\n";
    let mut stream = server.connect_and_send(bytes).await;
    let answer = read_to_close(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("abHTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn sound_framing_passes_in_all_its_forms() {
    let server = start(limits()).await;
    let mut stream = server.connect().await;
    let table = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "hello"),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "hello"),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na\nb",
            "a\nb",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\nb\r\n00A\r\n0123456789\r\n0\r\n\r\n",
            "a\nb0123456789",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\nX-T: y\r\n\r\n",
            "x",
        ),
    ];
    for (bytes, body) in table {
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with(body),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_head_above_the_limit_is_refused() {
    let server = start(limits()).await;
    let long = "x".repeat(20_000);
    let one_field = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n");
    let many = "X: y\r\n".repeat(200);
    let many_fields = format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n");
    for head in [one_field, many_fields] {
        let mut stream = server.connect_and_send(head).await;
        let answer = read_to_close(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn what_follows_a_timed_out_body_is_no_request() {
    let mut limits = limits();
    limits.body = SHORT;
    let server = start(limits).await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n\r\n";
    let mut stream = server.connect_and_send(head).await;
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 408"));
    let _ = stream.write_all(SMUGGLED.as_bytes()).await;
    assert_eq!(read_to_close(&mut stream).await, "");
    assert_eq!(server.seen.smuggled.load(SeqCst), 0);
}
