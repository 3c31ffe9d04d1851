//! Both ends at their worst: the other is told, and nothing stays behind.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

use super::Place;

/// A client without a library: its bytes are ours to place.
struct Raw(TcpStream);

impl Raw {
    async fn open(place: &Place) -> (Self, Value) {
        let pass = place.pass("relayed").await;
        let mut stream = TcpStream::connect(&place.serve.public).await.unwrap();
        let head = format!(
            "GET /v1/realtime HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Authorization: Bearer {}\r\n\r\n",
            place.serve.public,
            pass["value"].as_str().unwrap()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"));
        let mut raw = Self(stream);
        raw.until("session.created").await;
        (raw, pass)
    }

    /// Reads until the bytes hold a text.
    async fn until(&mut self, text: &str) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&all).contains(text) {
            let count = self.0.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the end before {text}");
            all.extend_from_slice(&buffer[..count]);
        }
        all
    }
}

/// A masked frame of text; its mask is zero.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    [&[0x81, 0x80 | length, 0, 0, 0, 0][..], text.as_bytes()].concat()
}

#[tokio::test]
async fn a_client_that_is_cut_off_leaves_nothing_behind() {
    let place = Place::start();
    let (raw, pass) = Raw::open(&place).await;
    drop(raw);
    assert_eq!(place.ended(&pass).await.fact("reason"), "client_lost");
    place.empty().await;
    // OpenAI's side is told: its session has an end.
    while place.upstream().await[0]["ended_at"].is_null() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_byte_at_a_time_is_understood() {
    let place = Place::start();
    let (mut raw, _) = Raw::open(&place).await;
    let bytes = frame(r#"{"type":"input_audio_buffer.append","audio":"AAAA"}"#);
    let more = frame(r#"{"type":"session.update","session":{"model":"x"}}"#);
    for byte in bytes.into_iter().chain(more) {
        raw.0.write_all(&[byte]).await.unwrap();
        raw.0.flush().await.unwrap();
    }
    raw.until("session.updated").await;
}

#[tokio::test]
async fn half_a_frame_and_then_nothing_holds_no_one_up() {
    let place = Place::start();
    let (mut raw, pass) = Raw::open(&place).await;
    let bytes = frame(r#"{"type":"response.create"}"#);
    raw.0.write_all(&bytes[..10]).await.unwrap();
    // Ended all the same, and told.
    place.revoke("grant", pass["id"].as_str()).await;
    let told = raw.until("revoked").await;
    assert!(told.windows(2).any(|pair| pair == 1008_u16.to_be_bytes()));
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_told_1002() {
    let place = Place::start();
    let (mut raw, pass) = Raw::open(&place).await;
    // A frame without a mask.
    raw.0.write_all(&[0x81, 0x02, b'{', b'}']).await.unwrap();
    let mut all = Vec::new();
    raw.0.read_to_end(&mut all).await.unwrap();
    assert!(String::from_utf8_lossy(&all).contains("protocol_error"));
    assert!(all.windows(2).any(|pair| pair == 1002_u16.to_be_bytes()));
    drop(raw);
    assert_eq!(place.ended(&pass).await.fact("reason"), "protocol_error");
}

#[tokio::test]
async fn a_half_open_client_still_hears_the_end() {
    let place = Place::start();
    let (mut raw, pass) = Raw::open(&place).await;
    raw.0.shutdown().await.unwrap();
    let end = place.ended(&pass).await;
    assert_eq!(end.fact("reason"), "client_lost");
    let mut rest = Vec::new();
    raw.0.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test]
async fn a_slow_reader_is_waited_for_and_gets_everything() {
    let place = Place::start();
    let (mut socket, _) = place.session("relayed").await;
    // Many answers are on their way before the first is read.
    for _ in 0..200 {
        socket
            .0
            .send(Message::text(r#"{"type":"nope"}"#))
            .await
            .unwrap();
    }
    for _ in 0..200 {
        assert_eq!(socket.next("error").await["error"]["code"], "invalid_value");
    }
    assert_eq!(
        socket.turn("Hello").await["response"]["status"],
        "completed"
    );
}

#[tokio::test]
async fn openai_cut_off_is_told_1011() {
    let place = Place::start();
    let fault = json!({"route": "websocket", "kind": "truncate"});
    crate::support::sim::fault(&place.serve.client, &place.sim.url, fault).await;
    let pass = place.pass("relayed").await;
    let (events, close) = place.open(&pass).await.rest().await;
    let code = u16::from(close.expect("a close").code);
    assert!(matches!(code, 1011 | 1013), "{code} {events:?}");
    place.empty().await;
}

#[tokio::test]
async fn many_that_come_and_go_leave_no_session_lease_or_socket() {
    let place = Place::start();
    for round in 0..10 {
        let opened =
            futures_util::future::join_all((0..10).map(|_| place.session("relayed"))).await;
        for (number, (mut socket, _)) in opened.into_iter().enumerate() {
            if (number + round) % 2 == 0 {
                socket.0.close(None).await.unwrap();
            }
        }
    }
    place.empty().await;
    let upstream = place.upstream().await;
    assert!(upstream.len() <= 100);
    while place
        .upstream()
        .await
        .iter()
        .any(|session| session["ended_at"].is_null())
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let records = place.site.trail().all();
    let count = |action: &str| {
        records
            .iter()
            .filter(|record| record.action() == action)
            .count()
    };
    assert_eq!(count("session.start"), 100);
}
