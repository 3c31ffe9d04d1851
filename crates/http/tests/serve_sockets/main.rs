//! The accept loop over real sockets, with raw bytes where bytes matter.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod caps;
mod drain;
mod framing;
mod http2;
mod slow;
mod support;
mod tls;
mod upgrade;
