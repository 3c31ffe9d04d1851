//! Test support: contract suites, clocks, broken networks, and stores: real
//! ones as processes, and object stores as their clients know them.
//!
//! A contract suite is a list of checks over one port of the core. A store
//! names the suite once, in its `tests/contract.rs`, and runs every check of
//! it as a test of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a check that does not hold fails its test"
)]

pub mod chaos;
pub mod clock;
pub mod contract;
pub mod postgres;
pub mod redis;
pub mod store;

pub use clock::TestClock;
