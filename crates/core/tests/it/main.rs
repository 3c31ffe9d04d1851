//! The pipeline and the rules, with a fake behind every port.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod abandonment;
mod fakes;
mod minutes;
mod pipeline;
mod policy;
mod records;
