//! Connections to the upstream: name, TCP and TLS, within one time limit.
//!
//! Each step's failure has its own fault here, where it is still known which
//! step it was; later only texts would be left to guess by.

use std::{
    error::Error,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{
        HttpConnector,
        dns::{GaiResolver, Name},
    },
    rt::TokioIo,
};
use rustls::{CertificateError, ClientConfig};
use tokio::{net::TcpStream, time::timeout};
use tower_service::Service;

use crate::fault::Fault;

/// After this time without a sign of life, a connection is probed.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// Unacknowledged bytes older than this end the connection, so that a dead one
/// is not offered to the next mint.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);

type BoxError = Box<dyn Error + Send + Sync>;
type Boxed<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Opens connections; the whole of it takes at most `limit`.
#[derive(Clone)]
pub(crate) struct Connector {
    https: HttpsConnector<HttpConnector<Resolver>>,
    limit: Duration,
}

impl Connector {
    /// A connector with this TLS configuration and time limit.
    pub(crate) fn new(tls: ClientConfig, limit: Duration) -> Self {
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp());
        Self { https, limit }
    }

    /// The same for WebSockets, which begin as HTTP/1.
    pub(crate) fn for_sockets(tls: ClientConfig, limit: Duration) -> Self {
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp());
        Self { https, limit }
    }
}

fn tcp() -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(TCP_KEEPALIVE));
    tcp.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
    tcp
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = ConnectFailure;
    type Future = Boxed<Self::Response, Self::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.https.poll_ready(cx).map_err(ConnectFailure::from)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.https.call(uri);
        let limit = self.limit;
        // The pool may finish a connection in the background after its mint is
        // over, so the limit is the connection's own and not the mint's.
        Box::pin(async move {
            match timeout(limit, connecting).await {
                Ok(connected) => connected.map_err(ConnectFailure::from),
                Err(_) => Err(ConnectFailure(Fault::ConnectTimeout)),
            }
        })
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no connection")]
pub(crate) struct ConnectFailure(pub(crate) Fault);

impl From<BoxError> for ConnectFailure {
    fn from(error: BoxError) -> Self {
        let error: &(dyn Error + 'static) = &*error;
        // The TLS step alone fails with a bare I/O error.
        if error.is::<io::Error>() {
            return Self(find(error).map_or(Fault::TlsFailed, of_tls));
        }
        if find::<NameNotFound>(error).is_some() {
            return Self(Fault::NameNotFound);
        }
        Self(find(error).map_or(Fault::ConnectFailed, of_tcp))
    }
}

fn of_tls(error: &rustls::Error) -> Fault {
    let rustls::Error::InvalidCertificate(reason) = error else {
        return Fault::TlsFailed;
    };
    match reason {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Fault::CertificateOutOfTime,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Fault::CertificateOfAnother
        }
        _ => Fault::CertificateUntrusted,
    }
}

fn of_tcp(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Fault::ConnectRefused,
        io::ErrorKind::TimedOut => Fault::ConnectTimeout,
        _ => Fault::ConnectFailed,
    }
}

/// The first error of this type in a chain of causes.
pub(crate) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = cause(error);
    }
    None
}

/// An I/O error's `source` skips the error it wraps, so that one is asked for.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(inner) = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        return Some(inner);
    }
    error.source()
}

/// The system's resolver, with an error that can be told from TCP's.
#[derive(Clone)]
struct Resolver(GaiResolver);

/// A host name has no address.
#[derive(Debug, thiserror::Error)]
#[error("no address for the host name")]
struct NameNotFound;

impl Service<Name> for Resolver {
    type Response = <GaiResolver as Service<Name>>::Response;
    type Error = NameNotFound;
    type Future = Boxed<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let looking = self.0.call(name);
        Box::pin(async move { looking.await.map_err(|_| NameNotFound) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(reason: CertificateError) -> BoxError {
        let inner = io::Error::new(
            io::ErrorKind::InvalidData,
            rustls::Error::InvalidCertificate(reason),
        );
        io::Error::other(inner).into()
    }

    #[test]
    fn each_step_of_connecting_has_its_own_fault() {
        let cases: [(BoxError, Fault); 5] = [
            (
                tls(CertificateError::UnknownIssuer),
                Fault::CertificateUntrusted,
            ),
            (tls(CertificateError::Expired), Fault::CertificateOutOfTime),
            (
                tls(CertificateError::NotValidForName),
                Fault::CertificateOfAnother,
            ),
            (
                io::Error::from(io::ErrorKind::UnexpectedEof).into(),
                Fault::TlsFailed,
            ),
            (Box::new(NameNotFound), Fault::NameNotFound),
        ];
        for (error, fault) in cases {
            assert_eq!(ConnectFailure::from(error).0, fault);
        }
    }

    #[test]
    fn a_tcp_failure_is_told_by_its_kind() {
        let cases = [
            (io::ErrorKind::ConnectionRefused, Fault::ConnectRefused),
            (io::ErrorKind::TimedOut, Fault::ConnectTimeout),
            (io::ErrorKind::NetworkUnreachable, Fault::ConnectFailed),
        ];
        for (kind, fault) in cases {
            assert_eq!(of_tcp(&io::Error::from(kind)), fault);
        }
    }
}
