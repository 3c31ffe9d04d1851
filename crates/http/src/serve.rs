//! The accept loop: sockets in, HTTP requests out, nothing open for ever.
//!
//! `axum::serve` keeps a client that sends nothing, half a head or no body for
//! as long as the client likes. [`Server`] puts a deadline on every state a
//! connection can be in ([`Limits`]), caps how many there are, refuses
//! ambiguous HTTP/1 framing before the parser sees it, and drains within a
//! bound.
//!
//! | file | idea |
//! |---|---|
//! | `accept` | the loop, back-off on errors, soft and hard stop |
//! | `roster` | who is connected; caps; telling them to finish |
//! | `connection` | one connection: handshake, HTTP, its single timer |
//! | `activity` | what a connection is doing now, and until when it may |
//! | `transport` | the socket, watched |
//! | `framing` | HTTP/1 bytes that two parsers could read differently |
//! | `exchange` | one request: connection facts, body deadline, answer watch |
//! | `tls` | certificate from files, reloaded when they change |
//! | `client_address` | whose request it is, behind trusted proxies |

mod accept;
mod activity;
pub mod client_address;
mod connection;
mod exchange;
mod framing;
mod limits;
mod request_body;
mod response_body;
mod roster;
pub mod tls;
mod transport;

pub use accept::{Report, Server, Shutdown};
pub use client_address::{Network, TrustedProxies, client_address};
pub use exchange::ConnectionFacts;
pub use limits::Limits;
pub use request_body::{RequestBody, RequestBodyError, is_body_timeout};
pub use response_body::ResponseBody;
pub use roster::{Seat, Snapshot, Statistics};
pub use transport::{Socket, Transport};
