//! A server on a free port, and clients that write bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hallpass_http::serve::{
    ConnectionFacts, Limits, Report, Server, Shutdown, Statistics, is_body_timeout,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Far above every limit the tests set; reached only by a failing test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Limits too long to be missed by accident: a test shortens the one it means.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.first_byte = PATIENCE * 2;
    limits.tls_handshake = PATIENCE * 2;
    limits.head = PATIENCE * 2;
    limits.body = PATIENCE * 2;
    limits.idle = PATIENCE * 2;
    limits.write_stall = PATIENCE * 2;
    limits
}

/// The limit under test.
pub(crate) const SHORT: Duration = Duration::from_millis(100);

/// What the handlers saw, and what holds them up.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: AtomicUsize,
    pub(crate) smuggled: AtomicUsize,
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    pub(crate) statistics: Arc<Statistics>,
    /// `/wait` adds a permit to the first when it runs, and takes one of the second.
    pub(crate) entered: Arc<Semaphore>,
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) shutdown: Shutdown,
    pub(crate) task: JoinHandle<Report>,
}

pub(crate) async fn start(limits: Limits) -> Running {
    start_with(|server| server.limits(limits)).await
}

pub(crate) async fn start_with(adjust: impl FnOnce(Server<Router>) -> Server<Router>) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let entered = Arc::new(Semaphore::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let router = router(seen.clone(), entered.clone(), gate.clone());
    let server = adjust(Server::new(listener, router));
    let statistics = server.statistics();
    let shutdown = Shutdown {
        soft: CancellationToken::new(),
        hard: CancellationToken::new(),
        drain: PATIENCE,
    };
    let task = tokio::spawn(server.run(shutdown.clone()));
    Running {
        address,
        seen,
        statistics,
        entered,
        gate,
        shutdown,
        task,
    }
}

fn router(seen: Arc<Seen>, entered: Arc<Semaphore>, gate: Arc<Semaphore>) -> Router {
    let count = seen.clone();
    let wait = move || async move {
        entered.add_permits(1);
        gate.acquire().await.unwrap().forget();
        "waited"
    };
    let smuggled = move || async move {
        seen.smuggled.fetch_add(1, SeqCst);
        "smuggled"
    };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(echo))
        .route("/ignore", post(|| async { "ignored" }))
        .route("/facts", get(facts))
        .route("/big", get(|| async { vec![b'x'; 64 << 20] }))
        .route("/panic", get(|| async { panic!("on purpose") as &str }))
        .route("/wait", get(wait))
        .route("/smuggled", get(smuggled))
        .layer(axum::middleware::from_fn(
            move |request: Request, next: axum::middleware::Next| {
                count.requests.fetch_add(1, SeqCst);
                next.run(request)
            },
        ))
}

async fn echo(body: Body) -> Response {
    match axum::body::to_bytes(body, 1 << 16).await {
        Ok(bytes) => bytes.into_response(),
        Err(error) if is_body_timeout(&error) => StatusCode::REQUEST_TIMEOUT.into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn facts(Extension(facts): Extension<ConnectionFacts>) -> String {
    format!("{} {} {}", facts.peer, facts.local, facts.tls)
}

impl Running {
    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn connect_and_send(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        stream
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(SeqCst)
    }

    /// Waits until `/wait` has been entered once more.
    pub(crate) async fn until_entered(&self) {
        let entered = timeout(PATIENCE, self.entered.acquire()).await;
        entered.expect("the handler runs").unwrap().forget();
    }

    pub(crate) async fn report(self) -> Report {
        let report = timeout(PATIENCE * 3, self.task).await;
        report.expect("the server ends").unwrap()
    }
}

/// Reads until the server closes; a reset counts as closing.
pub(crate) async fn read_to_close(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one answer with a known length, and leaves the connection open.
pub(crate) async fn read_answer(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while !is_whole(&bytes) {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.unwrap();
            assert_ne!(count, 0, "closed inside an answer: {bytes:?}");
            bytes.extend_from_slice(&chunk[..count]);
        }
    };
    timeout(PATIENCE, read).await.expect("an answer arrives");
    String::from_utf8(bytes).unwrap()
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    body.len() >= length
}
