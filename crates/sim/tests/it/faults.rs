//! Every kind of fault, as a client meets it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::support::{Sim, fixture, mint_request, post, realtime, request, standard_key};

/// Sends a mint over a bare socket and reads until the connection ends.
async fn raw_mint(sim: &Sim) -> (Vec<u8>, std::io::Result<usize>) {
    let mut stream = TcpStream::connect(sim.address).await.unwrap();
    let (key, body) = (standard_key(), realtime().to_string());
    let head = format!(
        "POST /v1/realtime/client_secrets HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut read));
    let ended = ended.await.expect("the connection ends");
    (read, ended)
}

#[tokio::test]
async fn status_answers_as_told_or_as_openai_would() {
    let sim = Sim::start().await;
    for (status, name) in [
        (404, "http_error.404.call_id_not_found"),
        (429, "http_error.429.rate_limit_exceeded"),
        (500, "http_error.500"),
        (503, "http_error.503"),
    ] {
        sim.fault(
            &json!({"route": "client_secrets", "kind": "status", "status": status, "times": 1}),
        )
        .await;
        let answer = sim.mint(&realtime()).await;
        assert_eq!((answer.status(), answer.json()), (status, fixture(name)));
    }
    let body = fixture("http_error.429.credit_balance_exhausted");
    let fault = json!({"route": "all", "kind": "status", "status": 429, "body": body,
        "headers": {"retry-after": "7", "x-request-id": "req_mine"}});
    sim.fault(&fault).await;
    let answer = sim.mint(&realtime()).await;
    assert_eq!((answer.status(), answer.json()), (429, body));
    assert_eq!(
        (answer.header("retry-after"), answer.header("x-request-id")),
        ("7", "req_mine")
    );
    assert_eq!(
        sim.call(request("DELETE", "/_sim/faults")).await.status(),
        204
    );
    assert_eq!(sim.mint(&realtime()).await.status(), 200);
}

#[tokio::test]
async fn delay_delays_then_goes_on() {
    let sim = Sim::start().await;
    sim.fault(&json!({"route": "client_secrets", "kind": "delay", "delay_ms": 80}))
        .await;
    let started = Instant::now();
    assert_eq!(sim.mint(&realtime()).await.status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn hang_never_answers_but_is_logged() {
    let sim = Sim::start().await;
    sim.fault(&json!({"route": "client_secrets", "kind": "hang"}))
        .await;
    let waiting = sim.send(mint_request(&realtime()));
    assert!(
        tokio::time::timeout(Duration::from_millis(100), waiting)
            .await
            .is_err()
    );
    let log = sim.simulator.log();
    assert_eq!((log[0].status, log[0].fault), (None, Some("hang")));
}

#[tokio::test]
async fn reset_resets_and_close_closes() {
    let sim = Sim::start().await;
    sim.fault(&json!({"route": "client_secrets", "kind": "reset", "times": 1}))
        .await;
    let (read, ended) = raw_mint(&sim).await;
    assert!(read.is_empty());
    assert_eq!(
        ended.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
    sim.fault(&json!({"route": "client_secrets", "kind": "close", "times": 1}))
        .await;
    let (read, ended) = raw_mint(&sim).await;
    assert_eq!((read, ended.unwrap()), (Vec::new(), 0));
}

#[tokio::test]
async fn truncate_promises_more_than_it_sends() {
    let sim = Sim::start().await;
    sim.fault(&json!({"route": "client_secrets", "kind": "truncate"}))
        .await;
    let (read, _) = raw_mint(&sim).await;
    let text = String::from_utf8(read).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let promised = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let promised: usize = promised.parse().unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body.len(), promised / 2);
    assert!(body.starts_with("{\"value\":\"ek_"));
    assert!(sim.send(mint_request(&realtime())).await.is_err());
    let chosen = json!({"route": "calls", "kind": "truncate", "body": "0123456789"});
    sim.fault(&chosen).await;
    assert!(sim.send(post("/v1/realtime/calls")).await.is_err());
}

#[tokio::test]
async fn malformed_is_200_and_not_json() {
    let sim = Sim::start().await;
    sim.fault(&json!({"route": "client_secrets", "kind": "malformed"}))
        .await;
    let answer = sim.mint(&realtime()).await;
    assert_eq!(
        (answer.status(), answer.header("content-type")),
        (200, "application/json")
    );
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
}

#[tokio::test]
async fn a_socket_can_fail_before_and_after_its_upgrade() {
    let sim = Sim::start().await;
    let bearer = format!("Bearer {}", standard_key());
    let auth = [("authorization", bearer.as_str())];
    let once = |kind: &str, status: Value, delay: u64| json!({"route": "websocket", "kind": kind, "status": status, "delay_ms": delay, "times": 1});
    let model = "?model=gpt-realtime";
    sim.fault(&once("status", json!(503), 0)).await;
    let Err(Error::Http(response)) = sim.try_socket(model, &auth).await else {
        panic!("no 503")
    };
    assert_eq!(response.status(), 503);
    sim.fault(&once("reset", Value::Null, 0)).await;
    assert!(sim.try_socket(model, &auth).await.is_err());
    sim.fault(&once("close", json!(1013), 0)).await;
    assert_eq!(
        sim.socket(model, &auth).await.close().await.unwrap().0,
        1013
    );
    sim.fault(&once("close", json!(1011), 30)).await;
    let mut socket = sim.socket(model, &auth).await;
    assert_eq!(socket.event().await["type"], "session.created");
    assert_eq!(socket.close().await.unwrap().0, 1011);
    sim.fault(&once("malformed", Value::Null, 0)).await;
    let mut socket = sim.socket(model, &auth).await;
    assert!(matches!(socket.frame().await, Some(Message::Text(text)) if text.starts_with('<')));
    assert_eq!(socket.event().await["type"], "session.created");
    sim.fault(&once("truncate", Value::Null, 0)).await;
    let mut socket = sim.socket(model, &auth).await;
    let Some(Message::Text(half)) = socket.frame().await else {
        panic!("no half")
    };
    assert!(serde_json::from_str::<Value>(&half).is_err());
    assert!(socket.frame().await.is_none());
}

#[tokio::test]
async fn the_control_routes_name_what_is_wrong() {
    let sim = Sim::start().await;
    for (spec, word) in [
        (json!({"route": "all", "kind": "hang", "bogus": 1}), "bogus"),
        (json!({"route": "everything", "kind": "hang"}), "everything"),
        (json!({"route": "all", "kind": "explode"}), "explode"),
        (json!({"route": "all", "kind": "status"}), "status"),
        (json!({"kind": "hang"}), "route"),
        (json!([]), "fault"),
    ] {
        let answer = sim.call(post("/_sim/faults").json(&spec)).await;
        assert_eq!(answer.status(), 400, "{spec}");
        let message = answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(message.contains(word), "{message}");
    }
    sim.fault(&json!({"route": "calls", "kind": "hang", "times": 3}))
        .await;
    let faults = sim.call(request("GET", "/_sim/faults")).await.json();
    assert!(faults[0]["id"].as_str().unwrap().starts_with("fault_"));
    assert_eq!(
        (&faults[0]["route"], &faults[0]["hits"]),
        (&json!("calls"), &json!(0))
    );
}
