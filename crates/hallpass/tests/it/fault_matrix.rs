//! Every way OpenAI can fail, and what a caller, the trail, the simulator and
//! the breaker see of it. The table in the documents is this test's own.

use std::{
    fmt::Write as _,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::{Duration, Instant},
};

use hallpass_testkit::chaos::{Chaos, ChaosProxy};
use reqwest::Client;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Serve, Sim, Site, Stream, post, random_hex, send, sim, trail::Record};

/// How long a mint may take here.
const DEADLINE: Duration = Duration::from_millis(1000);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);
/// Failures in a row that open the breaker here.
const FAILURES: usize = 3;

/// How a cell breaks things.
enum Breaks {
    /// The simulator answers so.
    Sim(Value),
    /// The proxy before it does so.
    Proxy(Chaos),
    /// The upstream is at another address.
    At(String),
}

/// What came of one mint, and of those after it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    code: String,
    attempts: usize,
    minted: usize,
    orphan: bool,
    breaker: String,
}

/// `status code attempts minted orphan breaker`, as a row states it.
fn expected(text: &str) -> Seen {
    let words: Vec<&str> = text.split_whitespace().collect();
    Seen {
        status: words[0].parse().unwrap(),
        code: words[1].trim_start_matches('-').to_owned(),
        attempts: words[2].parse().unwrap(),
        minted: words[3].parse().unwrap(),
        orphan: words[4] == "orphan",
        breaker: words[5].to_owned(),
    }
}

struct House {
    serve: Serve,
    sim: Sim,
    site: Site,
    proxy: ChaosProxy,
    operator: String,
    caller: String,
    client: Client,
}

impl House {
    async fn open() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let proxy = ChaosProxy::start(sim.url["http://".len()..].parse().unwrap()).await;
        let url = format!("http://{}", proxy.address());
        let site = Site::new(&url, &key, "[mint]\nretry_budget_percent = 100\n");
        let upstream = format!(
            "timeout_ms = {}\nconnect_timeout_ms = 200\nbreaker = {{ consecutive_failures = {FAILURES} }}",
            DEADLINE.as_millis()
        );
        site.change("timeout_ms = 2000", &upstream);
        let operator = site.api_key("operator", "svc");
        let caller = site.api_key("service", "svc");
        Self {
            serve: Serve::start(&site),
            sim,
            site,
            proxy,
            operator,
            caller,
            client: crate::support::client(),
        }
    }

    async fn see(&self, breaks: &Breaks) -> Seen {
        self.repair().await;
        let restore = match breaks {
            Breaks::Sim(fault) => {
                sim::fault(&self.client, &self.sim.url, fault.clone()).await;
                None
            }
            Breaks::Proxy(chaos) => {
                self.proxy.set(chaos.clone());
                None
            }
            Breaks::At(url) => Some(self.move_to(url)),
        };
        // Let the server notice which connections are gone.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let records = self.site.trail().records().len();
        let asked = sim::log(&self.client, &self.sim.url).await.len();
        let (status, code) = self.mint().await;
        let mut seen = self.traces(records, asked).await;
        (seen.status, seen.code) = (status, code);
        for _ in 1..FAILURES {
            self.mint().await;
        }
        seen.breaker = self.breaker().await;
        if let Some(home) = restore {
            self.move_to(&home);
        }
        seen
    }

    /// Nothing is broken any more, and the breaker starts anew.
    async fn repair(&self) {
        sim::no_faults(&self.client, &self.sim.url).await;
        self.proxy.set(Chaos::None);
        let url = self.serve.admin_url("/api/admin/upstreams/openai/breaker");
        let request = post(
            &self.client,
            &url,
            &self.operator,
            &json!({ "state": "auto" }),
        );
        let answer = send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn mint(&self) -> (u16, String) {
        let url = self.serve.url("/api/generate-client-secret");
        let started = Instant::now();
        let answer = send(post(&self.client, &url, &self.caller, &json!({}))).await;
        let took = started.elapsed();
        assert!(took < DEADLINE + SLACK, "{took:?}: {}", answer.text);
        (answer.status, answer.code())
    }

    /// What one mint left in the trail and at the simulator.
    async fn traces(&self, records: usize, asked: usize) -> Seen {
        let new = self.site.trail().records().split_off(records);
        let of_mint = new.iter().filter(|it| it.action() == "grant.create");
        let phases: Vec<(&str, bool)> = of_mint.map(|it| (it.phase(), it.orphan())).collect();
        let count = |phase: &str| phases.iter().filter(|(it, _)| *it == phase).count();
        assert_eq!((count("intent"), count("outcome")), (1, 1), "{phases:?}");
        let log = sim::log(&self.client, &self.sim.url).await.split_off(asked);
        let minted = log.iter().filter(|it| !it["secret_last_four"].is_null());
        Seen {
            status: 0,
            code: String::new(),
            attempts: count("attempt") + 1,
            minted: minted.count(),
            orphan: phases.iter().any(|(_, orphan)| *orphan),
            breaker: String::new(),
        }
    }

    async fn breaker(&self) -> String {
        let url = self.serve.admin_url("/api/admin/upstreams");
        let request = self.client.get(url).bearer_auth(&self.operator);
        let list = send(request).await.json();
        list["data"][0]["breaker"].as_str().unwrap().to_owned()
    }

    /// Moves the upstream elsewhere with a reload; where it was.
    fn move_to(&self, url: &str) -> String {
        let text = std::fs::read_to_string(self.site.path("hallpass.toml")).unwrap();
        let (_, rest) = text.split_once("base_url = \"").unwrap();
        let old = rest.split_once("/v1\"").unwrap().0.to_owned();
        self.site.change(&old, url);
        let told = |text: &str| text.matches("the configuration was read again").count();
        let before = told(&self.serve.process.text(Stream::Err));
        self.serve.process.signal(Signal::HUP);
        let mut seen = 0;
        self.serve.process.wait_for(Stream::Err, |line| {
            seen += told(line);
            (seen > before).then_some(())
        });
        old
    }
}

impl Site {
    /// Changes the configuration's text.
    fn change(&self, from: &str, to: &str) {
        let path = self.path("hallpass.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }
}

impl Record {
    fn phase(&self) -> &str {
        self.0["unmapped"]["hallpass"]["phase"].as_str().unwrap()
    }

    fn orphan(&self) -> bool {
        self.0["unmapped"]["hallpass"]["upstream"]["orphan_possible"] == true
    }
}

/// A port that is listened at by nobody.
fn closed_port() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

/// A port whose queue of connections is full: one more hangs.
struct FullPort {
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

fn answer(head: &str, body: &str) -> Breaks {
    let length = body.len();
    let text = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}");
    Breaks::Proxy(Chaos::Answer(text.into_bytes()))
}

fn cells(full: &FullPort, plain: SocketAddr) -> Vec<(&'static str, Breaks, &'static str)> {
    let kind = |kind: &str| Breaks::Sim(json!({ "route": "client_secrets", "kind": kind }));
    let html = "<html><body>502 Bad Gateway</body></html>";
    let large = "x".repeat(10 * 1024 * 1024);
    vec![
        (
            "connection refused",
            Breaks::At(format!("http://{}", closed_port())),
            "503 upstream_unreachable 2 0 - open",
        ),
        (
            "connecting hangs",
            Breaks::At(format!("http://{}", full.address)),
            "503 upstream_unreachable 2 0 - open",
        ),
        (
            "TLS handshake fails",
            Breaks::At(format!("https://{plain}")),
            "503 upstream_unreachable 2 0 - open",
        ),
        (
            "reset before the answer",
            Breaks::Proxy(Chaos::ResetAfterRequest),
            "502 upstream_bad_answer 1 0 orphan open",
        ),
        (
            "reset in the answer",
            Breaks::Proxy(Chaos::ResetInAnswer(700)),
            "502 upstream_bad_answer 1 1 orphan open",
        ),
        (
            "closed before the answer",
            kind("close"),
            "502 upstream_bad_answer 1 0 orphan open",
        ),
        (
            "silence",
            Breaks::Proxy(Chaos::Silence),
            "504 upstream_timeout 1 0 orphan open",
        ),
        (
            "no answer",
            kind("hang"),
            "504 upstream_timeout 1 0 orphan open",
        ),
        (
            "slow body",
            Breaks::Proxy(Chaos::Trickle(Duration::from_millis(20))),
            "504 upstream_timeout 1 1 orphan open",
        ),
        (
            "truncated body",
            kind("truncate"),
            "502 upstream_bad_answer 1 1 orphan open",
        ),
        (
            "malformed JSON",
            answer("200 OK", "{\"value\": \"ek_"),
            "502 upstream_bad_answer 1 0 orphan open",
        ),
        (
            "another shape",
            answer("200 OK", "{\"value\": 1}"),
            "502 upstream_bad_answer 1 0 orphan open",
        ),
        (
            "HTML",
            answer("200 OK", html),
            "502 upstream_bad_answer 1 0 orphan open",
        ),
        (
            "10 MiB body",
            answer("200 OK", &large),
            "502 upstream_bad_answer 1 0 orphan open",
        ),
        (
            "not HTTP",
            Breaks::Proxy(Chaos::Answer(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())),
            "502 upstream_bad_answer 1 0 orphan open",
        ),
        ("400", status(400), "502 upstream_rejected 1 0 - closed"),
        ("401", status(401), "503 upstream_key_refused 1 0 - open"),
        ("403", status(403), "503 upstream_forbidden 1 0 - closed"),
        ("404", status(404), "502 upstream_rejected 1 0 - closed"),
        ("408", status(408), "504 upstream_timeout 1 0 - closed"),
        ("409", status(409), "502 upstream_rejected 1 0 - closed"),
        ("429", status(429), "503 upstream_rate_limited 1 0 - open"),
        (
            "429 with Retry-After",
            soon(429),
            "503 upstream_rate_limited 2 0 - open",
        ),
        (
            "429 insufficient_quota",
            quota("insufficient_quota"),
            "503 upstream_quota_exhausted 1 0 - open",
        ),
        (
            "429 credit_balance_exhausted",
            quota("credit_balance_exhausted"),
            "503 upstream_quota_exhausted 1 0 - open",
        ),
        (
            "500",
            status(500),
            "503 upstream_unavailable 2 0 orphan open",
        ),
        (
            "502",
            status(502),
            "503 upstream_unavailable 2 0 orphan open",
        ),
        (
            "503",
            status(503),
            "503 upstream_unavailable 1 0 orphan open",
        ),
        (
            "503 with Retry-After",
            soon(503),
            "503 upstream_unavailable 2 0 orphan open",
        ),
        (
            "504",
            status(504),
            "503 upstream_unavailable 2 0 orphan open",
        ),
        (
            "500 once",
            Breaks::Sim(
                json!({ "route": "client_secrets", "kind": "status", "status": 500, "times": 1 }),
            ),
            "201 - 2 1 orphan closed",
        ),
        ("nothing", Breaks::Proxy(Chaos::None), "201 - 1 1 - closed"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_has_its_answer() {
    let house = House::open().await;
    let full = FullPort::open().await;
    let plain = ChaosProxy::start(closed_port()).await;
    plain.set(Chaos::Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let mut table = String::from(
        "| OpenAI's side | status | code | attempts | minted there | possible orphan | breaker after 3 |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut wrong = Vec::new();
    for (name, breaks, stated) in cells(&full, plain.address()) {
        let seen = house.see(&breaks).await;
        if seen != expected(stated) {
            wrong.push(format!("{name}: {seen:?}, stated {stated}"));
        }
        let Seen {
            status,
            code,
            attempts,
            minted,
            orphan,
            breaker,
        } = seen;
        let orphan = if orphan { "yes" } else { "no" };
        writeln!(
            table,
            "| {name} | {status} | {code} | {attempts} | {minted} | {orphan} | {breaker} |"
        )
        .unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let page = send(house.client.get(house.serve.admin_url("/metrics")))
        .await
        .text;
    assert!(
        page.contains("hallpass_upstream_requests_in_flight 0"),
        "nothing is left under way"
    );
    assert_eq!(house.site.trail().verified()["verdict"], "whole");
    compare(&table);
}

/// Holds the table against the document, or writes it there.
fn compare(table: &str) {
    const BEGIN: &str = "<!-- fault matrix: begin -->\n";
    const END: &str = "<!-- fault matrix: end -->";
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/upstream-failures.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).expect("the table's begin");
    let (old, tail) = rest.split_once(END).expect("the table's end");
    if std::env::var_os("HALLPASS_WRITE_MATRIX").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(
        old, table,
        "docs/upstream-failures.md is out of date: run this test with HALLPASS_WRITE_MATRIX=1"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_key_of_two_costs_one_attempt() {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let second = format!(
        "[[upstream]]\nname = \"second\"\nbase_url = \"{}/v1\"\nweight = 0\napi_key = \"{key}\"\n",
        sim.url
    );
    let site = Site::new(&sim.url, &format!("sk-{}", random_hex(16)), &second);
    let caller = site.api_key("service", "svc");
    let serve = Serve::start(&site);
    let url = serve.url("/api/generate-client-secret");
    for _ in 0..10 {
        let answer = send(post(&serve.client, &url, &caller, &json!({}))).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let asked = sim::log(&serve.client, &sim.url).await;
    assert_eq!(asked.len(), 11, "the bad key is asked once");
    let health = send(serve.client.get(serve.url("/health"))).await.json();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["unwell"][0]["part"], "upstream openai");
    assert_eq!(
        send(serve.client.get(serve.url("/readyz"))).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_costs_few_attempts_and_ends_by_itself() {
    let key = format!("sk-{}", random_hex(16));
    let sim = Sim::start(&key);
    let site = Site::new(&sim.url, &key, "");
    site.change(
        "timeout_ms = 2000",
        "timeout_ms = 2000\nbreaker = { open_ms = 500, max_open_ms = 500 }",
    );
    let caller = site.api_key("service", "svc");
    let serve = Serve::start(&site);
    let client = &serve.client;
    sim::fault(
        client,
        &sim.url,
        json!({ "route": "client_secrets", "kind": "status", "status": 500 }),
    )
    .await;
    let url = serve.url("/api/generate-client-secret");
    let mint = || send(post(client, &url, &caller, &json!({})));
    for _ in 0..5 {
        assert_eq!(mint().await.status, 503);
    }
    assert_eq!(
        sim::log(client, &sim.url).await.len(),
        5,
        "at most 1.1 attempts a request"
    );
    let refused = mint().await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "upstream_unavailable")
    );
    assert!(!refused.header("retry-after").is_empty());
    sim::no_faults(client, &sim.url).await;
    let healed = Instant::now();
    while mint().await.status != 201 {
        assert!(
            healed.elapsed() < Duration::from_millis(500) + SLACK,
            "within one probe interval"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        sim::log(client, &sim.url).await.len(),
        6,
        "the probe is the first that is let through"
    );
}
