//! An accept loop that can also break connections.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{
    connection::{Cut, CutStream},
    simulator::Simulator,
};

/// How long a connection may take over its TLS handshake or a request head.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long connections may take to finish once asked to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);

impl Simulator {
    /// Serves HTTP/1.1 and HTTP/2 until `shutdown`; with `tls`, clients may
    /// speak either TLS or plain text on the same port.
    ///
    /// Then it accepts nothing more, closes every session with 1001, and gives
    /// running requests three seconds. This loop is what lets the faults
    /// `reset` and `close` cut a connection; behind another server they end the
    /// response's body with an error instead.
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let acceptor = tls.map(TlsAcceptor::from);
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let router = self.router();
        let accept = accept(&listener, |stream| {
            let connection = Connection {
                router: router.clone(),
                stop: stop.clone(),
            };
            tracker.spawn(connection.run(stream, acceptor.clone()));
        });
        tokio::select! {
            () = accept => {}
            () = shutdown => {}
        }
        drop(listener);
        self.close_all();
        stop.cancel();
        let running = &self.core.running;
        tracker.close();
        running.close();
        let ended = async { tokio::join!(tracker.wait(), running.wait()) };
        if timeout(DRAIN_LIMIT, ended).await.is_err() {
            tracing::debug!("connections were still open when the simulator stopped");
        }
    }
}

async fn accept(listener: &TcpListener, start: impl Fn(TcpStream)) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => start(stream),
            Err(error) => {
                // Out of descriptors, mostly: going on at once would only spin.
                tracing::warn!(%error, "the simulator could not accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

struct Connection {
    router: Router,
    stop: CancellationToken,
}

impl Connection {
    async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        // Only latency suffers where the option cannot be set.
        let _ = stream.set_nodelay(true);
        let acceptor = match acceptor {
            Some(acceptor) if begins_tls(&stream).await => Some(acceptor),
            _ => None,
        };
        let cut = Cut::default();
        let stream = CutStream::new(stream, cut.clone());
        let Some(acceptor) = acceptor else {
            return self.http(stream, cut).await;
        };
        match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => self.http(stream, cut).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn http<S>(self, stream: S, cut: Cut)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (router, handle) = (self.router, cut.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(handle.clone());
            router.clone().oneshot(request.map(Body::new))
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HANDSHAKE_LIMIT);
        builder
            .http2()
            .timer(TokioTimer::new())
            .enable_connect_protocol();
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return note(ended),
            () = cut.cut() => return,
            () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        if let Ok(ended) = timeout(DRAIN_LIMIT, connection).await {
            note(ended);
        }
    }
}

/// Whether a client begins with a TLS handshake.
///
/// One port for both: OpenAI's SDK for Node insists on `wss:` whatever the base
/// URL says, and keeps its port.
async fn begins_tls(stream: &TcpStream) -> bool {
    /// The first byte of a TLS record that holds a handshake.
    const HANDSHAKE: u8 = 0x16;
    let mut first = [0];
    let peeked = timeout(HANDSHAKE_LIMIT, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(1))) && first[0] == HANDSHAKE
}

fn note(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the simulator ended early");
    }
}
