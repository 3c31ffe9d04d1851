//! The simulated upstream: a fixed answer, an optional delay, little else.
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};

use crate::{clock::unix_seconds, ledger::Ledger, wire::Connection};

const REQUEST_LINE: &[u8] = b"POST /v1/realtime/client_secrets HTTP/1.1\r\n";
const SECRET_LIFETIME_SECONDS: u64 = 60;

/// What the answer says after the secret and its expiry.
const SESSION: &str = r#""session":{"type":"realtime","object":"realtime.session","id":"sess_C9CiUVUzUzYIssh3ELY1d","model":"gpt-realtime-2.1","output_modalities":["audio"],"instructions":"You are a friendly interviewer.","tools":[],"tool_choice":"auto","max_output_tokens":"inf","tracing":null,"truncation":"auto","prompt":null,"expires_at":0,"audio":{"input":{"format":{"type":"audio/pcm","rate":24000},"transcription":null,"noise_reduction":null,"turn_detection":{"type":"server_vad"}},"output":{"format":{"type":"audio/pcm","rate":24000},"voice":"marin","speed":1.0}},"include":null}"#;

const UNAUTHORIZED: &[u8] =
    b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: 28\r\n\r\n{\"error\":{\"message\":\"key\"}}\n";
const NOT_FOUND: &[u8] =
    b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 29\r\n\r\n{\"error\":{\"message\":\"path\"}}\n";

/// A running upstream; it lives as long as the runtime.
pub(crate) struct Upstream {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The only key it accepts.
    pub(crate) key: String,
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Arc<Ledger>,
    delay_ms: AtomicU64,
    bearer: String,
}

impl Upstream {
    /// Listens on a free port of the loopback address.
    pub(crate) async fn start(ledger: Arc<Ledger>, key: String) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            ledger,
            delay_ms: AtomicU64::new(0),
            bearer: format!(": Bearer {key}\r\n"),
        });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            key,
            shared,
        })
    }

    /// Waits this long before each answer from now on.
    pub(crate) fn set_delay(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.shared.delay_ms.store(delay_ms, Ordering::Relaxed);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // A connection that breaks shows at the load generator as a failure.
        tokio::spawn(async move { serve(stream, &shared).await });
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> Result<()> {
    let mut connection = Connection::over(stream)?;
    while let Some(request) = connection.receive_request().await? {
        let head = &connection.received(&request)[..request.head];
        let answer = shared.answer(head);
        shared.wait().await;
        connection.send(&answer).await?;
    }
    Ok(())
}

impl Shared {
    fn answer(&self, head: &[u8]) -> Vec<u8> {
        if !head.starts_with(REQUEST_LINE) {
            return NOT_FOUND.to_vec();
        }
        if memchr::memmem::find(head, self.bearer.as_bytes()).is_none() {
            return UNAUTHORIZED.to_vec();
        }
        self.minted()
    }

    fn minted(&self) -> Vec<u8> {
        let value = self.ledger.issue();
        let expires_at = unix_seconds() + SECRET_LIFETIME_SECONDS;
        let body = format!(r#"{{"value":"{value}","expires_at":{expires_at},{SESSION}}}"#);
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_{}\r\ncontent-length: {length}\r\n\r\n{body}",
            &value[3..]
        )
        .into_bytes()
    }

    async fn wait(&self) {
        let delay_ms = self.delay_ms.load(Ordering::Relaxed);
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(upstream: &Upstream, path: &str, key: &str) -> (u16, Vec<u8>) {
        let mut connection = Connection::open(upstream.address).await.expect("open");
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nAuthorization: Bearer {key}\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        let answer = connection.exchange(request.as_bytes()).await;
        let answer = answer.expect("an answer");
        (answer.status, connection.body(&answer).to_vec())
    }

    async fn upstream() -> (Arc<Ledger>, Upstream) {
        let ledger = Arc::new(Ledger::new(1));
        let upstream = Upstream::start(Arc::clone(&ledger), "key".to_owned()).await;
        (ledger, upstream.expect("started"))
    }

    #[tokio::test]
    async fn a_mint_answers_a_fresh_secret_with_a_session() {
        let (ledger, upstream) = upstream().await;

        let (status, body) = ask(&upstream, "/v1/realtime/client_secrets", "key").await;

        assert_eq!(status, 200);
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("json");
        assert_eq!(answer["session"]["type"], "realtime");
        assert!(answer["expires_at"].as_u64() > Some(unix_seconds()));
        ledger.take(&body).expect("a secret of the ledger");
    }

    #[tokio::test]
    async fn a_wrong_key_or_path_mints_nothing() {
        let (_, upstream) = upstream().await;

        assert_eq!(
            ask(&upstream, "/v1/realtime/client_secrets", "no").await.0,
            401
        );
        assert_eq!(ask(&upstream, "/v1/models", "key").await.0, 404);
    }
}
