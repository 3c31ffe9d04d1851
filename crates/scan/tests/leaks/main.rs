//! The scanner through its public face.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure here fails the test"
)]

mod arbitrary;
mod generated;
mod keys;
mod near_misses;
mod reports;
mod shapes;
mod sources;
mod vectors;
