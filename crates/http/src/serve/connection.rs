//! One connection, from its first packet to its last.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::activity::{Activity, Expiry};
use super::exchange::{ConnectionFacts, answer};
use super::limits::Limits;
use super::request_body::RequestBody;
use super::roster::{Seat, Statistics};
use super::transport::{Socket, Transport};

/// What all connections of a listener share.
pub(super) struct Listener<S> {
    pub(super) service: S,
    pub(super) http: auto::Builder<TokioExecutor>,
    pub(super) limits: Arc<Limits>,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) statistics: Arc<Statistics>,
}

/// The HTTP settings of a listener.
///
/// Hyper's own head timer stays off: it also runs while a kept-alive
/// connection is idle, and costs a timer for each request.
pub(super) fn http_settings(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(limits.max_head_bytes.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_max_streams)
        .initial_stream_window_size(limits.h2_stream_window_bytes)
        .initial_connection_window_size(limits.h2_connection_window_bytes)
        .max_header_list_size(limits.h2_max_header_list_bytes)
        .keep_alive_interval(limits.h2_ping_interval)
        .keep_alive_timeout(limits.h2_ping_timeout);
    builder
}

impl<S, B> Listener<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    /// Serves a connection until it closes, misses a deadline or is cut.
    pub(super) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        facts: ConnectionFacts,
        activity: Arc<Activity>,
        seat: Seat,
    ) {
        let Some(socket) = self.handshake(stream, &activity).await else {
            self.statistics.failed_handshakes.fetch_add(1, Relaxed);
            return;
        };
        activity.begin_http();
        let transport = Transport::new(socket, activity.clone(), seat);
        let service = service_fn(|request| {
            let service = self.service.clone();
            answer(
                service,
                request,
                facts,
                self.limits.clone(),
                activity.clone(),
            )
        });
        let http = self
            .http
            .serve_connection_with_upgrades(TokioIo::new(transport), service);
        let mut http = pin!(http);
        let mut watch = Watch::new(&activity, &self.limits);
        let end = poll_fn(|cx| {
            if watch.asks_to_finish() {
                http.as_mut().graceful_shutdown();
            }
            if let Poll::Ready(ended) = http.as_mut().poll(cx) {
                return Poll::Ready(End::Closed(ended.err()));
            }
            watch.poll(cx)
        });
        self.note(&end.await, facts);
    }

    /// `None` when TLS was not agreed on in time.
    async fn handshake(&self, stream: TcpStream, activity: &Activity) -> Option<Socket> {
        let Some(tls) = &self.tls else {
            return Some(Socket::Plain(stream));
        };
        let agreed = timeout(
            self.limits.tls_handshake,
            unless_finishing(activity, tls.accept(stream)),
        );
        match agreed.await {
            Ok(Ok(stream)) => Some(Socket::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                tracing::debug!(%error, "the TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("the TLS handshake took too long");
                None
            }
        }
    }

    fn note(&self, end: &End, facts: ConnectionFacts) {
        let peer = facts.peer;
        match end {
            End::Expired(Expiry::Linger) | End::Cut | End::Closed(None) => (),
            End::Expired(expiry) => {
                self.statistics.timed_out.fetch_add(1, Relaxed);
                tracing::debug!(%peer, deadline = expiry.as_str(), "closed a slow connection");
            }
            End::Closed(Some(error)) => tracing::debug!(%peer, %error, "a connection broke"),
        }
    }
}

/// Runs a handshake, but gives it up when the server stops.
async fn unless_finishing<T>(
    activity: &Activity,
    handshake: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let mut handshake = pin!(handshake);
    poll_fn(|cx| {
        activity.register(cx.waker());
        if activity.must_finish() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        handshake.as_mut().poll(cx)
    })
    .await
}

/// How a connection ended.
enum End {
    Closed(Option<Box<dyn StdError + Send + Sync>>),
    Expired(Expiry),
    Cut,
}

/// The one timer of a connection, and the server's orders to it.
///
/// The timer is set again only when it fires or when a nearer deadline comes
/// up, so a busy kept-alive connection touches it about once a minute.
struct Watch<'c> {
    activity: &'c Activity,
    limits: &'c Limits,
    sleep: Pin<Box<Sleep>>,
    armed: bool,
    told_to_finish: bool,
    must_close: bool,
    /// Pieces sent when an answer was last seen waiting for its client.
    stalled_at: Option<u64>,
}

impl<'c> Watch<'c> {
    fn new(activity: &'c Activity, limits: &'c Limits) -> Self {
        Self {
            activity,
            limits,
            sleep: Box::pin(sleep_until(Instant::now() + limits.first_byte)),
            armed: false,
            told_to_finish: false,
            must_close: false,
            stalled_at: None,
        }
    }

    /// Whether to tell HTTP, now and once, to end after what it has.
    fn asks_to_finish(&mut self) -> bool {
        let finish = self.must_close || self.activity.must_finish();
        if !finish || self.told_to_finish {
            return false;
        }
        self.told_to_finish = true;
        self.activity.linger();
        true
    }

    /// Ready when the connection has to be dropped.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            ready!(self.poll_sleep(cx));
            if self.activity.must_stop_now() {
                return Poll::Ready(End::Cut);
            }
            let now = Instant::now();
            match self.activity.deadline(self.limits) {
                Some((at, _)) if at > now => self.arm(at),
                Some((_, Expiry::Idle)) if !self.told_to_finish => {
                    self.must_close = true;
                    self.arm(now + self.limits.idle);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some((_, expiry)) => return Poll::Ready(End::Expired(expiry)),
                None if self.client_stopped_reading() => {
                    return Poll::Ready(End::Expired(Expiry::WriteStall));
                }
                None => self.arm(now + self.limits.write_stall),
            }
        }
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The order to finish used the waker up; the order to cut needs it again.
        if !self.armed || self.told_to_finish {
            self.activity.register(cx.waker());
        }
        if self.activity.must_stop_now() {
            return Poll::Ready(());
        }
        if let Some((at, _)) = self.activity.deadline(self.limits)
            && at < self.sleep.deadline()
        {
            self.arm(at);
        }
        // Once polled, the timer knows this task; polling it again on every
        // wake-up of the socket would only cost.
        if self.armed && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.armed = true;
        self.sleep.as_mut().poll(cx)
    }

    fn arm(&mut self, at: Instant) {
        self.sleep.as_mut().reset(at);
        self.armed = false;
    }

    /// Whether an answer has waited since the timer last fired, with nothing sent.
    fn client_stopped_reading(&mut self) -> bool {
        let before = std::mem::replace(&mut self.stalled_at, self.activity.unread_progress());
        before.is_some() && before == self.stalled_at
    }
}
