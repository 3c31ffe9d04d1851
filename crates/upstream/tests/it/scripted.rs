//! An upstream that reads whole requests and answers with scripted bytes.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// What happens once a request has arrived.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// The bytes are sent; the connection stays open for the next request.
    Answer(Vec<u8>),
    /// The bytes are sent, then the connection is closed.
    AnswerAndClose(Vec<u8>),
    /// The bytes are sent, then the connection is reset.
    AnswerAndReset(Vec<u8>),
    /// The bytes are sent again and again until nobody takes them.
    AnswerForever(Vec<u8>, Vec<u8>),
}

/// A listening upstream; each of its connections follows the same script.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
    answered: Notify,
    left: Notify,
}

impl Upstream {
    /// Listens on a free port.
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        tokio::spawn(accept(listener, script, shared.clone()));
        Self { address, shared }
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The requests that arrived, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Waits until a request got all of its scripted bytes.
    pub(crate) async fn answered(&self) {
        self.shared.answered.notified().await;
    }

    /// Waits until the client has closed a connection.
    pub(crate) async fn left(&self) {
        self.shared.left.notified().await;
    }
}

async fn accept(listener: TcpListener, script: Script, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(serve(stream, script.clone(), shared.clone()));
    }
}

async fn serve(mut stream: TcpStream, script: Script, shared: Arc<Shared>) {
    while let Some(request) = read_request(&mut stream).await {
        shared.requests.lock().unwrap().push(request);
        let stays = follow(&script, &mut stream).await;
        shared.answered.notify_one();
        if !stays {
            return;
        }
    }
    shared.left.notify_one();
}

/// Sends what the script says; whether the connection stays.
async fn follow(script: &Script, stream: &mut TcpStream) -> bool {
    match script {
        Script::Answer(bytes) => stream.write_all(bytes).await.is_ok(),
        Script::AnswerAndClose(bytes) => {
            let _ = stream.write_all(bytes).await;
            false
        }
        Script::AnswerAndReset(bytes) => {
            let _ = stream.write_all(bytes).await;
            stream.set_zero_linger().unwrap();
            false
        }
        Script::AnswerForever(bytes, again) => {
            let _ = stream.write_all(bytes).await;
            while stream.write_all(again).await.is_ok() {}
            false
        }
    }
}

/// One request, head and body; none at the connection's end.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return Some(text.into_owned());
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn content_length(head: &str) -> usize {
    head.lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap())
}

/// A reply with `content-length` and these further header lines.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Reason\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}
