//! The simulator over real sockets, against OpenAI's recorded replies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by it"
)]

mod mint;
mod support;
