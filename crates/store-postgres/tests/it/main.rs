//! The PostgreSQL store, on a real server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure here fails the test"
)]

mod chain;
mod contract;
mod outage;
mod replicas;
mod schema;
mod support;
mod tls;
mod trail;
mod usage;
