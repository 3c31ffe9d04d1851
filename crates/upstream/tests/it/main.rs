//! The client over real sockets, against an upstream that sends scripted bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by it"
)]

mod canary;
mod connections;
mod deadlines;
mod hostile;
mod minting;
mod refusals;
mod scripted;
mod support;
mod tls;
mod transport;
