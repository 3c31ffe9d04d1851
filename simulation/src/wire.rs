//! HTTP over the simulated network: both ends.

use std::{io, time::Duration};

use async_trait::async_trait;
use axum::{Router, body::Body};
use hallpass_http::serve::ConnectionFacts;
use hallpass_store_redis::{Dial, Stream};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::time::timeout;
use tower::ServiceExt;
use turmoil::net::{TcpListener, TcpStream};

/// How long anyone waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// Serves a router for as long as the host runs.
pub(crate) async fn serve(router: Router, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let local = stream.local_addr()?;
        let facts = ConnectionFacts {
            peer,
            local,
            tls: false,
        };
        let router = router.clone();
        let answer = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(facts);
            router.clone().oneshot(request)
        });
        tokio::spawn(async move {
            let service = TowerToHyperService::new(answer);
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Posts to a host.
pub(crate) async fn post(
    (host, port): (&str, u16),
    path: &str,
    bearer: &str,
    (kind, body): (&str, String),
) -> io::Result<Answer> {
    let request = Request::post(path)
        .header("host", host)
        .header("authorization", format!("Bearer {bearer}"))
        .header("content-type", kind)
        .body(Full::new(body.into()))
        .map_err(io::Error::other)?;
    let asked = timeout(PATIENCE, exchange((host, port), request)).await;
    asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn exchange(
    host: (&str, u16),
    request: Request<Full<hyper::body::Bytes>>,
) -> io::Result<Answer> {
    let stream = TcpStream::connect(host).await?;
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(io::Error::other)?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(io::Error::other)?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes().to_vec();
    Ok(Answer { status, body })
}

/// The way to the simulated Redis.
pub(crate) struct ToRedis;

#[async_trait]
impl Dial for ToRedis {
    async fn dial(&self) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(TcpStream::connect(("redis", 6379)).await?))
    }
}
