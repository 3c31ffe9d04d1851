//! The simulator over real sockets, against OpenAI's recorded replies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by it"
)]

mod browser;
mod calls;
mod faults;
mod mint;
mod peers;
mod refusals;
mod responses;
mod serving;
mod sessions;
mod support;
