//! The loop: accept, admit, spawn; then stop within a bound.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::activity::Activity;
use super::client_address::TrustedProxies;
use super::connection::{Listener, http_settings};
use super::exchange::ConnectionFacts;
use super::limits::Limits;
use super::request_body::RequestBody;
use super::roster::{Roster, Snapshot, Statistics};
use super::tls::TlsReloader;

const SHORTEST_BACK_OFF: Duration = Duration::from_millis(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1);

/// Until requests that were sent before the listener closed have begun.
const LAST_HEADS: Duration = Duration::from_millis(100);

/// Until connections that were cut have let go of their sockets.
const CUT_GRACE: Duration = Duration::from_millis(250);

/// When and how a server stops.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// Stop accepting, and finish the requests under way.
    pub soft: CancellationToken,
    /// Drop everything now.
    pub hard: CancellationToken,
    /// How long finishing may take before everything is dropped.
    pub drain: Duration,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Connections dropped because they did not finish in time.
    pub cut: usize,
    /// The counts at the end.
    pub counts: Snapshot,
}

/// An HTTP/1 and HTTP/2 server on one listening socket.
///
/// Readiness is the caller's: answer "not ready" first, wait until load
/// balancers have noticed, and only then cancel [`Shutdown::soft`].
#[derive(Debug)]
pub struct Server<S> {
    listener: TcpListener,
    service: S,
    limits: Limits,
    tls: Option<Arc<TlsReloader>>,
    trusted_proxies: TrustedProxies,
    roster: Arc<Roster>,
}

impl<S> Server<S> {
    /// A plain-text server with the default [`Limits`].
    pub fn new(listener: TcpListener, service: S) -> Self {
        Self {
            listener,
            service,
            limits: Limits::default(),
            tls: None,
            trusted_proxies: TrustedProxies::default(),
            roster: Arc::default(),
        }
    }

    /// Replaces the limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Speaks TLS with this certificate.
    #[must_use]
    pub fn tls(self, tls: Arc<TlsReloader>) -> Self {
        let tls = Some(tls);
        Self { tls, ..self }
    }

    /// Exempts these proxies from the cap per address.
    #[must_use]
    pub fn trusted_proxies(self, trusted_proxies: TrustedProxies) -> Self {
        Self {
            trusted_proxies,
            ..self
        }
    }

    /// The counts, readable while the server runs.
    pub fn statistics(&self) -> Arc<Statistics> {
        self.roster.statistics.clone()
    }
}

impl<S, B> Server<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Serves until told to stop; returns when the last connection is gone.
    ///
    /// No error ends the loop: failures to accept are counted, logged and
    /// waited out.
    pub async fn run(self, shutdown: Shutdown) -> Report {
        let limits = Arc::new(self.limits);
        let door = Door {
            slots: Arc::new(Semaphore::new(limits.max_connections)),
            trusted_proxies: self.trusted_proxies,
            roster: self.roster.clone(),
            shared: Arc::new(Listener {
                service: self.service,
                http: http_settings(&limits),
                limits,
                tls: self.tls.map(|tls| TlsAcceptor::from(tls.config())),
                statistics: self.roster.statistics.clone(),
            }),
        };
        tokio::select! {
            () = door.accept_all(&self.listener) => (),
            () = shutdown.soft.cancelled() => (),
            () = shutdown.hard.cancelled() => (),
        }
        // Who is in the kernel's queue came in time: closing would reset them.
        if !shutdown.hard.is_cancelled() {
            door.accept_waiting(&self.listener);
        }
        drop(self.listener);
        let cut = drain(&self.roster, &shutdown).await;
        Report {
            cut,
            counts: self.roster.statistics.snapshot(),
        }
    }
}

/// Lets connections finish, then drops them; answers how many it dropped.
async fn drain(roster: &Roster, shutdown: &Shutdown) -> usize {
    // A request on its way over a connection that is still idle arrives.
    tokio::select! {
        () = roster.empty() => (),
        () = shutdown.hard.cancelled() => (),
        () = sleep(LAST_HEADS.min(shutdown.drain)) => (),
    }
    roster.finish_all();
    tokio::select! {
        biased;
        () = roster.empty() => return 0,
        () = shutdown.hard.cancelled() => (),
        () = sleep(shutdown.drain) => (),
    }
    let cut = roster.cut_all();
    // A handler that never yields cannot be dropped, and must not hold us.
    let _ = timeout(CUT_GRACE, roster.empty()).await;
    cut
}

/// Decides who comes in.
struct Door<S> {
    slots: Arc<Semaphore>,
    trusted_proxies: TrustedProxies,
    roster: Arc<Roster>,
    shared: Arc<Listener<S>>,
}

impl<S, B> Door<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Ends only if the semaphore were closed, which nobody does.
    async fn accept_all(&self, listener: &TcpListener) {
        let mut back_off = SHORTEST_BACK_OFF;
        // A slot comes before the socket: beyond the cap, clients wait in the
        // kernel's queue and cost no descriptor.
        while let Ok(slot) = self.slots.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    back_off = SHORTEST_BACK_OFF;
                    self.admit(stream, peer, slot);
                }
                Err(error) => {
                    self.roster.statistics.accept_errors.fetch_add(1, Relaxed);
                    if !is_of_one_connection(&error) {
                        tracing::warn!(%error, "cannot accept connections; trying again");
                        sleep(back_off).await;
                        back_off = (back_off * 2).min(LONGEST_BACK_OFF);
                    }
                }
            }
        }
    }

    /// Accepts what is in the kernel's queue, without waiting for more.
    fn accept_waiting(&self, listener: &TcpListener) {
        while let Ok(slot) = self.slots.clone().try_acquire_owned()
            && let Some(Ok((stream, peer))) = listener.accept().now_or_never()
        {
            self.admit(stream, peer, slot);
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, slot: OwnedSemaphorePermit) {
        let statistics = &self.roster.statistics;
        statistics.accepted.fetch_add(1, Relaxed);
        let limits = &self.shared.limits;
        let is_proxy = self.trusted_proxies.contains(peer.ip());
        let cap = (!is_proxy).then_some(limits.max_connections_per_address);
        let activity = Arc::new(Activity::new(Instant::now()));
        let seat = self.roster.admit(peer.ip(), cap, activity.clone(), slot);
        let (Some(seat), Ok(local)) = (seat, stream.local_addr()) else {
            return;
        };
        // Small answers must not wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let facts = ConnectionFacts {
            peer,
            local,
            tls: self.shared.tls.is_some(),
        };
        tokio::spawn(self.shared.clone().serve(stream, facts, activity, seat));
    }
}

/// Errors of `accept` that concern a client already gone, not this process.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
