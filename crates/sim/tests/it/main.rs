//! The simulator over real sockets, against OpenAI's recorded replies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by it"
)]

mod calls;
mod faults;
mod mint;
mod refusals;
mod responses;
mod serving;
mod sessions;
mod support;
