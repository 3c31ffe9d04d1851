//! What is fuzzed: one plain function for each parser of foreign bytes.
//!
//! The workspace in `fuzz/` runs them under libFuzzer; this crate's test runs
//! each over its corpus and over mutations of it, with whatever toolchain the
//! tests run with. A target panics where a parser does, and where what it
//! accepts is not what it may accept.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a target tells a finding by panicking"
)]

mod bearer;
mod corpus;
mod keys;
mod relay;
mod session;
mod settings;

use hallpass_core::Timestamp;

pub use bearer::{claims, jws};
pub use corpus::{SEED, corpus, mutations};
pub use keys::{api_key, jwks};
pub use relay::{realtime_event, websocket_head};
pub use session::{cookies, jwe};
pub use settings::config;

/// One target: its name, which is its corpus's too, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 9] = [
    ("api_key", api_key),
    ("claims", claims),
    ("config", config),
    ("cookies", cookies),
    ("jwe", jwe),
    ("jwks", jwks),
    ("jws", jws),
    ("realtime_event", realtime_event),
    ("websocket_head", websocket_head),
];

/// A secret that nothing else has; 32 bytes, so that it is no weak one.
const SECRET: &str = concat!("kT9vQ2mZx7Lr4Wb8", "Ys1Nc6Hd3Jf5Gp0R");

/// The time at which everything is judged: 2026-11-21T12:00:00Z.
fn noon() -> Timestamp {
    Timestamp::from_second(1_795_262_400).expect("a time in range")
}
