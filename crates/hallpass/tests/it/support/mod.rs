//! The real binary, started and watched as an operator would.

pub(crate) mod balancer;
pub(crate) mod client;
pub(crate) mod collector;
pub(crate) mod command;
pub(crate) mod dev;
pub(crate) mod hook;
pub(crate) mod needle;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod serve;
pub(crate) mod shim;
pub(crate) mod sim;
pub(crate) mod trail;

pub(crate) use client::{Answer, client, post, send, trusting, try_send};
pub(crate) use command::{Run, hallpass};
pub(crate) use dev::Dev;
pub(crate) use process::{Process, Stream, binary};
pub(crate) use serve::{Serve, Site};
pub(crate) use shim::{Fault, Shim};
pub(crate) use sim::Sim;
pub(crate) use trail::Trail;

/// Seconds since 1970, for tokens that must be in time.
#[allow(
    clippy::disallowed_methods,
    reason = "the server under test reads the same clock"
)]
pub(crate) fn now() -> i64 {
    hallpass_core::Timestamp::now().as_second()
}

/// Fresh random hexadecimal.
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut random).expect("randomness");
    hallpass_core::ids::hex(&random)
}
