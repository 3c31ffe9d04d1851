//! How long a client may take, and how much it may hold.

use std::time::Duration;

/// Deadlines and caps of a listener.
///
/// Every state a connection can be in has a deadline here; no state is
/// unbounded. A WebSocket leaves these behind once its 101 is sent, except
/// that it still counts as a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections open at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Connections open at once from one address (one /64 for IPv6).
    ///
    /// One too many is closed at once. Listed proxies are exempt, since many
    /// users share their address.
    pub max_connections_per_address: usize,
    /// From the accepted connection to the first byte of HTTP.
    pub first_byte: Duration,
    /// The TLS handshake, whole.
    pub tls_handshake: Duration,
    /// From the first byte of a request's head to its last.
    pub head: Duration,
    /// From the end of the head to the last byte of the body.
    pub body: Duration,
    /// Between two requests of a kept-alive connection.
    pub idle: Duration,
    /// Without progress while an answer waits for the client to read.
    pub write_stall: Duration,
    /// Largest head of an HTTP/1 request, bytes; at least 8192.
    pub max_head_bytes: usize,
    /// Largest header list of an HTTP/2 request, bytes.
    pub h2_max_header_list_bytes: u32,
    /// Streams open at once on an HTTP/2 connection.
    pub h2_max_streams: u32,
    /// Flow-control window of an HTTP/2 stream, bytes.
    pub h2_stream_window_bytes: u32,
    /// Flow-control window of an HTTP/2 connection, bytes.
    pub h2_connection_window_bytes: u32,
    /// Between two keep-alive pings on HTTP/2.
    pub h2_ping_interval: Duration,
    /// Until a keep-alive ping must be answered.
    pub h2_ping_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_address: 1_000,
            first_byte: Duration::from_secs(10),
            tls_handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            write_stall: Duration::from_secs(30),
            max_head_bytes: 16 * 1024,
            h2_max_header_list_bytes: 16 * 1024,
            h2_max_streams: 100,
            h2_stream_window_bytes: 64 * 1024,
            h2_connection_window_bytes: 1024 * 1024,
            h2_ping_interval: Duration::from_secs(20),
            h2_ping_timeout: Duration::from_secs(20),
        }
    }
}
