//! The faults, and what is stated of each.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use hallpass_testkit::chaos::{Chaos, ChaosProxy};
use serde_json::{Value, json};

/// One way OpenAI fails.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) breaks: Breaks,
    pub(super) stated: Seen,
}

/// How things are broken.
pub(super) enum Breaks {
    /// The simulator answers so.
    Sim(Value),
    /// The simulator answers so every second time.
    EverySecond(Value),
    /// The proxy before it does so.
    Proxy(Chaos),
    /// The upstream is at another address.
    At(String, #[expect(dead_code, reason = "held")] Listens),
    /// The upstream's key is not good, that of a second one is.
    BadKeyOfTwo,
}

/// What listens at another address, and does so until it is dropped.
pub(super) enum Listens {
    Nobody,
    Full(#[expect(dead_code, reason = "held")] FullPort),
    Plain(#[expect(dead_code, reason = "held")] ChaosProxy),
}

/// What came of one request, and of those after it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) attempts: usize,
    pub(super) minted: usize,
    pub(super) orphan: bool,
    pub(super) breaker: String,
    /// To OpenAI, when all is answered.
    pub(super) connections: usize,
}

/// `status code attempts minted orphan breaker connections`, as a row states it.
fn seen(text: &str) -> Seen {
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words.len(), 7, "{text}");
    Seen {
        status: words[0].parse().unwrap(),
        code: words[1].trim_start_matches('-').to_owned(),
        attempts: words[2].parse().unwrap(),
        minted: words[3].parse().unwrap(),
        orphan: words[4] == "orphan",
        breaker: words[5].to_owned(),
        connections: words[6].parse().unwrap(),
    }
}

/// Every fault, in the order in which it meets a request on its way.
pub(super) async fn rows() -> Vec<Row> {
    let full = FullPort::open().await;
    let full_url = format!("http://{}", full.address);
    let plain = ChaosProxy::start(closed_port()).await;
    plain.set(Chaos::Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let plain_url = format!("https://{}", plain.address());
    let none = format!("http://{}", closed_port());
    let connecting = [
        (
            "connection refused",
            Breaks::At(none, Listens::Nobody),
            "503 upstream_unreachable 2 0 - open 0",
        ),
        (
            "connecting hangs",
            Breaks::At(full_url, Listens::Full(full)),
            "503 upstream_unreachable 2 0 - open 0",
        ),
        (
            "TLS handshake fails",
            Breaks::At(plain_url, Listens::Plain(plain)),
            "503 upstream_unreachable 2 0 - open 0",
        ),
    ];
    let all = connecting
        .into_iter()
        .chain(breaking_off())
        .chain(wrong_answers())
        .chain(refusals())
        .chain(unwell())
        .chain(now_and_then());
    all.map(|(name, breaks, stated)| Row {
        name,
        breaks,
        stated: seen(stated),
    })
    .collect()
}

type Cell = (&'static str, Breaks, &'static str);

/// Connections that break off or stand still.
fn breaking_off() -> Vec<Cell> {
    let proxy = |name, chaos, stated| (name, Breaks::Proxy(chaos), stated);
    let bad = "502 upstream_bad_answer 1 0 orphan open 0";
    let bad_minted = "502 upstream_bad_answer 1 1 orphan open 0";
    vec![
        proxy("reset before the answer", Chaos::ResetAfterRequest, bad),
        proxy("reset before the body", Chaos::ResetAfterHead, bad_minted),
        proxy("reset in the body", Chaos::ResetInAnswer(700), bad_minted),
        proxy(
            "reset after the body",
            Chaos::ResetInAnswer(usize::MAX),
            "201 - 1 1 - closed 0",
        ),
        ("closed before the answer", kind("close"), bad),
        proxy(
            "silence",
            Chaos::Silence,
            "504 upstream_timeout 1 0 orphan open 0",
        ),
        (
            "no answer",
            kind("hang"),
            "504 upstream_timeout 1 0 orphan open 0",
        ),
        proxy(
            "slow body",
            Chaos::Trickle(Duration::from_millis(20)),
            "504 upstream_timeout 1 1 orphan open 0",
        ),
        ("truncated body", kind("truncate"), bad_minted),
    ]
}

/// Answers that say 200 and hold no secret.
fn wrong_answers() -> Vec<Cell> {
    let html = "<html><body>502 Bad Gateway</body></html>";
    let large = "x".repeat(10 * 1024 * 1024);
    let bad = "502 upstream_bad_answer 1 0 orphan open 0";
    let not_http = Chaos::Answer(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec());
    vec![
        ("malformed JSON", answer("{\"value\": \"ek_"), bad),
        ("another shape", answer("{\"value\": 1}"), bad),
        ("HTML", answer(html), bad),
        ("10 MiB body", answer(&large), bad),
        ("not HTTP", Breaks::Proxy(not_http), bad),
    ]
}

/// Answers that blame the caller, the profile or the key.
fn refusals() -> Vec<Cell> {
    vec![
        ("400", status(400), "502 upstream_rejected 1 0 - closed 1"),
        ("401", status(401), "503 upstream_key_refused 1 0 - open 1"),
        ("403", status(403), "503 upstream_forbidden 1 0 - closed 1"),
        ("404", status(404), "502 upstream_rejected 1 0 - closed 1"),
        ("408", status(408), "504 upstream_timeout 1 0 - closed 1"),
        ("409", status(409), "502 upstream_rejected 1 0 - closed 1"),
        ("429", status(429), "503 upstream_rate_limited 1 0 - open 1"),
        (
            "429 with Retry-After",
            soon(429),
            "503 upstream_rate_limited 2 0 - open 1",
        ),
        (
            "429 insufficient_quota",
            quota("insufficient_quota"),
            "503 upstream_quota_exhausted 1 0 - open 1",
        ),
        (
            "429 credit_balance_exhausted",
            quota("credit_balance_exhausted"),
            "503 upstream_quota_exhausted 1 0 - open 1",
        ),
    ]
}

/// Answers that say OpenAI is unwell.
fn unwell() -> Vec<Cell> {
    let tried_again = "503 upstream_unavailable 2 0 orphan open 1";
    vec![
        ("500", status(500), tried_again),
        ("502", status(502), tried_again),
        (
            "503",
            status(503),
            "503 upstream_unavailable 1 0 orphan open 1",
        ),
        ("503 with Retry-After", soon(503), tried_again),
        ("504", status(504), tried_again),
    ]
}

/// What fails now and then, or not at all.
fn now_and_then() -> Vec<Cell> {
    let once = json!({ "route": "client_secrets", "kind": "status", "status": 500, "times": 1 });
    let close = json!({ "route": "client_secrets", "kind": "close", "times": 1 });
    vec![
        ("500 once", Breaks::Sim(once), "201 - 2 1 orphan closed 1"),
        (
            "flapping: closed every second time",
            Breaks::EverySecond(close),
            "502 upstream_bad_answer 1 0 orphan closed 1",
        ),
        (
            "one bad key of two (the bad one's breaker)",
            Breaks::BadKeyOfTwo,
            "201 - 2 1 - open 2",
        ),
        (
            "nothing",
            Breaks::Proxy(Chaos::None),
            "201 - 1 1 - closed 1",
        ),
    ]
}

fn kind(kind: &str) -> Breaks {
    Breaks::Sim(json!({ "route": "client_secrets", "kind": kind }))
}

fn status(status: u16) -> Breaks {
    Breaks::Sim(json!({ "route": "client_secrets", "kind": "status", "status": status }))
}

fn soon(status: u16) -> Breaks {
    Breaks::Sim(json!({
        "route": "client_secrets", "kind": "status", "status": status,
        "headers": { "retry-after-ms": "50" },
    }))
}

fn quota(code: &str) -> Breaks {
    Breaks::Sim(json!({
        "route": "client_secrets", "kind": "status", "status": 429,
        "body": { "error": { "message": "", "type": code, "param": null, "code": code } },
    }))
}

fn answer(body: &str) -> Breaks {
    let length = body.len();
    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    Breaks::Proxy(Chaos::Answer(text.into_bytes()))
}

/// A port that is listened at by nobody.
fn closed_port() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

/// A port whose queue of connections is full: one more hangs.
pub(super) struct FullPort {
    address: SocketAddr,
    _socket: tokio::net::TcpListener,
    _queue: Vec<tokio::net::TcpStream>,
}

impl FullPort {
    async fn open() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let socket = socket.listen(1).unwrap();
        let address = socket.local_addr().unwrap();
        let mut queue = Vec::new();
        for _ in 0..8 {
            let connecting = tokio::net::TcpStream::connect(address);
            let connected = tokio::time::timeout(Duration::from_millis(200), connecting).await;
            match connected {
                Ok(stream) => queue.push(stream.unwrap()),
                Err(_) => break,
            }
        }
        Self {
            address,
            _socket: socket,
            _queue: queue,
        }
    }
}
