//! One listening socket and what is served there.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hallpass_config::section;
use hallpass_http::serve::{Limits, Network, Server, Shutdown, TrustedProxies, tls::TlsReloader};
use tokio::net::{TcpListener, TcpSocket};

use super::lifecycle::Stopping;
use crate::cli::Stop;

/// Connections that may wait to be accepted; the system may allow fewer.
///
/// Where they are more, the system drops them and each comes again after a
/// second: in a rush that would hit probes as well as callers.
const BACKLOG: u32 = 4096;

/// A bound socket; nothing is served before [`Listener::serve`].
pub(crate) struct Listener {
    socket: TcpListener,
    /// Where it listens, the port known.
    pub(crate) address: SocketAddr,
    tls: Option<Arc<TlsReloader>>,
}

impl Listener {
    /// Binds an address.
    pub(crate) fn bind(address: SocketAddr, tls: Option<Arc<TlsReloader>>) -> Result<Self, Stop> {
        let socket = listen(address)
            .map_err(|error| Stop::usage(format!("can't listen at {address}: {error}")))?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            tls,
        })
    }

    /// Serves until told to stop and drained.
    pub(crate) async fn serve(self, router: Router, settings: section::Server, stopping: Stopping) {
        let drain = Duration::from_secs(settings.drain_seconds);
        let mut server = Server::new(self.socket, router)
            .limits(limits(&settings))
            .trusted_proxies(trusted_proxies(&settings));
        if let Some(tls) = self.tls {
            server = server.tls(tls);
        }
        let report = server
            .run(Shutdown {
                soft: stopping.soft,
                hard: stopping.hard,
                drain,
            })
            .await;
        if report.cut > 0 {
            tracing::warn!(
                connections = report.cut,
                "connections did not finish in time and were dropped"
            );
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart may take the port while connections of before still close.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn limits(settings: &section::Server) -> Limits {
    let mut limits = Limits::default();
    limits.max_connections = settings.max_connections;
    limits.first_byte = Duration::from_secs(settings.first_byte_seconds);
    limits.head = Duration::from_secs(settings.head_seconds);
    limits.body = Duration::from_secs(settings.body_seconds);
    limits.idle = Duration::from_secs(settings.idle_seconds);
    limits
}

/// The proxies whose word on the client's address is taken.
pub(crate) fn trusted_proxies(settings: &section::Server) -> TrustedProxies {
    // Both sides read the same text; one that the configuration took and the
    // server can't read would be a proxy that is not trusted, never one that is.
    let read = |network: &hallpass_config::Network| network.to_string().parse::<Network>().ok();
    TrustedProxies::new(settings.trusted_proxies.iter().filter_map(read).collect())
}
