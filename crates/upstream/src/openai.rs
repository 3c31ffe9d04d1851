//! The client: one order, one request, one checked secret.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use hallpass_core::{
    audit::UpstreamFacts,
    ports::{Clock, MintFailure, MintOrder, MintedSecret, Minter},
};
use hallpass_telemetry::traces::inject;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use rustls::RootCertStore;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Sleep, sleep};
use url::Url;

use crate::{
    body::{self, Outgoing, Sent},
    call::CallTemplate,
    connect::{ConnectFailure, Connector, find},
    connect_url::ConnectUrl,
    dial::SocketWay,
    envelope,
    exchange::Exchange,
    failure::Failure,
    fault::Fault,
    reply::{self, Expected},
    request::Template,
    retry_after,
    settings::{SettingsError, UpstreamSettings},
    tls,
};

/// Idle connections end before the usual 60 to 75 seconds of servers, so that
/// a mint seldom meets one that is just being closed.
const IDLE: Duration = Duration::from_secs(50);
/// Idle HTTP/1 connections that are kept.
const MAX_IDLE: usize = 512;
/// An HTTP/2 connection on which a mint waits is probed this often.
const PING_EVERY: Duration = Duration::from_secs(10);
/// A probe without an answer ends the connection.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest head of a reply.
const MAX_HEAD: usize = 64 * 1024;
/// The longest `x-request-id` that is kept.
const MAX_REQUEST_ID: usize = 128;

/// Mints client secrets at OpenAI or a compatible host.
///
/// One value serves all mints; it keeps connections open between them. It sends
/// one request for an order and repeats none: that is [`Pool`](crate::Pool)'s
/// business.
pub struct OpenAi {
    pub(crate) client: Client<Connector, Outgoing>,
    template: Template,
    pub(crate) calls: CallTemplate,
    connect_url: ConnectUrl,
    sockets: SocketWay,
    name: Arc<str>,
    server: (Box<str>, u16),
    /// Whether requests carry the trace they are a part of.
    traceparent: bool,
    pub(crate) key: SecretString,
    pub(crate) response_limit: usize,
    pub(crate) clock: Arc<dyn Clock>,
}

impl OpenAi {
    /// Prepares a client; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when the settings can't work.
    pub fn new(settings: UpstreamSettings, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        settings.check()?;
        let roots = match settings.base_url.scheme() {
            "https" => tls::trusted_roots(settings.extra_roots_pem.as_deref())?,
            _ => RootCertStore::empty(),
        };
        let tls = tls::client_config(roots)?;
        let sockets = Connector::for_sockets(tls.clone(), settings.connect_timeout);
        let connector = Connector::new(tls, settings.connect_timeout);
        Ok(Self {
            client: pooled(connector),
            template: Template::new(&settings)?,
            calls: CallTemplate::new(&settings)?,
            connect_url: ConnectUrl::new(&settings.base_url),
            sockets: SocketWay::new(&settings, sockets)?,
            server: server(&settings.base_url),
            traceparent: settings.traceparent,
            name: settings.name,
            key: settings.api_key,
            response_limit: settings.response_limit,
            clock,
        })
    }

    /// The way to its WebSockets.
    pub(crate) const fn sockets(&self) -> &SocketWay {
        &self.sockets
    }

    async fn ask(
        &self,
        order: &MintOrder,
        deadline: Duration,
        facts: &mut UpstreamFacts,
    ) -> Result<MintedSecret, Failure> {
        if deadline.is_zero() {
            // The timer rounds up, and a fast upstream would still be asked.
            return Err(Fault::DeadlineBeforeSent.into());
        }
        let mut deadline = pin!(sleep(deadline));
        let reply = self.send(order, deadline.as_mut()).await?;
        let (head, body) = reply.into_parts();
        facts.status = Some(head.status.as_u16());
        facts.request_id = self.request_id(&head.headers);
        let reading = body::read(body, self.response_limit);
        if !matches!(head.status, StatusCode::OK | StatusCode::CREATED) {
            // A reply that is no success is judged even when its body is bad.
            let body = within(deadline, reading).await.and_then(Result::ok);
            let body = body.unwrap_or_default();
            let wait = retry_after::read(&head.headers, self.clock.now());
            return Err(envelope::judge(head.status, &body, &order.overridden).wait(wait));
        }
        let body = within(deadline, reading)
            .await
            .ok_or(Fault::DeadlineInBody)??;
        self.secret(order, &body).map_err(Failure::from)
    }

    async fn send(
        &self,
        order: &MintOrder,
        deadline: Pin<&mut Sleep>,
    ) -> Result<Response<Incoming>, Fault> {
        let sent = Sent::told_to(&order.journal);
        let mut request = self.template.request(order, sent.clone())?;
        self.trace(request.headers_mut());
        match within(deadline, self.client.request(request)).await {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(error)) => Err(lost(&error, sent.get())),
            None if sent.get() => Err(Fault::DeadlineBeforeHead),
            None => Err(Fault::DeadlineBeforeSent),
        }
    }

    /// Adds `traceparent`, where the operator lets this upstream know.
    pub(crate) fn trace(&self, headers: &mut HeaderMap) {
        if self.traceparent {
            inject(headers);
        }
    }

    /// What every call leaves behind.
    pub(crate) fn facts(&self) -> UpstreamFacts {
        UpstreamFacts {
            name: Some(self.name.clone()),
            ..UpstreamFacts::default()
        }
    }

    fn secret(&self, order: &MintOrder, body: &[u8]) -> Result<MintedSecret, Fault> {
        let expected = Expected {
            kind: order.session.kind(),
            now: self.clock.now(),
            key: &self.key,
        };
        let checked = reply::check(body, &expected)?;
        Ok(MintedSecret {
            secret: checked.secret,
            expires_at: checked.expires_at,
            session: checked.session,
            connect_url: self.connect_url.of(&order.session),
            upstream: UpstreamFacts::default(),
        })
    }

    /// OpenAI's id of the request, as far as it can be logged.
    pub(crate) fn request_id(&self, headers: &HeaderMap) -> Option<String> {
        let sent = headers.get("x-request-id")?.as_bytes();
        let mut id = String::with_capacity(sent.len().min(MAX_REQUEST_ID));
        let graphic = sent.iter().filter(|byte| byte.is_ascii_graphic());
        id.extend(graphic.take(MAX_REQUEST_ID).copied().map(char::from));
        let shown = id.is_empty() || reply::shows_key(&id, self.key.expose_secret());
        (!shown).then_some(id)
    }
}

impl Exchange for OpenAi {
    async fn exchange(
        &self,
        order: &MintOrder,
        deadline: Duration,
    ) -> Result<MintedSecret, (Failure, UpstreamFacts)> {
        let mut facts = self.facts();
        match self.ask(order, deadline, &mut facts).await {
            Ok(minted) => Ok(MintedSecret {
                upstream: facts,
                ..minted
            }),
            Err(failure) => Err((failure, facts)),
        }
    }

    fn server(&self) -> (&str, u16) {
        let (host, port) = &self.server;
        (host, *port)
    }
}

#[async_trait]
impl Minter for OpenAi {
    async fn mint(&self, order: MintOrder) -> Result<MintedSecret, Box<MintFailure>> {
        let deadline = order.deadline;
        self.exchange(&order, deadline)
            .await
            .map_err(|(failure, facts)| failure.into_mint_failure(facts))
    }
}

impl fmt::Debug for OpenAi {
    /// Shows neither the key nor anything that holds it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The host of an address, and the port there.
fn server(url: &Url) -> (Box<str>, u16) {
    let host = url.host_str().unwrap_or_default();
    (host.into(), url.port_or_known_default().unwrap_or_default())
}

fn pooled(connector: Connector) -> Client<Connector, Outgoing> {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .http1_max_buf_size(MAX_HEAD)
        .http2_keep_alive_interval(PING_EVERY)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .build(connector)
}

/// Awaits a future until the deadline; none when that comes first.
pub(crate) async fn within<F: Future>(deadline: Pin<&mut Sleep>, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = deadline => None,
    }
}

pub(crate) fn lost(error: &(dyn Error + 'static), sent: bool) -> Fault {
    if let Some(ConnectFailure(fault)) = find(error) {
        return *fault;
    }
    if !sent {
        return Fault::LostBeforeSent;
    }
    match find::<hyper::Error>(error) {
        Some(error) if error.is_parse() => Fault::NotHttp,
        _ => Fault::LostBeforeHead,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn only_a_request_that_was_sent_may_leave_an_orphan() {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(lost(&reset, false), Fault::LostBeforeSent);
        assert_eq!(lost(&reset, true), Fault::LostBeforeHead);
        let refused = io::Error::other(ConnectFailure(Fault::ConnectRefused));
        assert_eq!(lost(&refused, false), Fault::ConnectRefused);
    }
}
