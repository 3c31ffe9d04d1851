//! Redis as a real process, seen through the core's ports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure here fails the test"
)]

mod addresses;
mod alike;
mod cluster;
mod contract;
mod failures;
mod leases;
mod passes;
mod peers;
mod quotas;
mod sentinel;
mod support;
mod tls;
mod valkey;

use support::with_server;
