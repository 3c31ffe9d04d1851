//! The way to OpenAI: wire types, calls, deadlines, error table.
//!
//! [`OpenAi`] obtains client secrets. It sends one request per mint, never
//! repeats one, follows no redirect, asks no proxy, and gives up everything at
//! the order's deadline. What comes back is checked before it is believed, and
//! every way to fail has one row in the table of `fault.rs`.
//!
//! Calls go the same way (`call`, `pool/calls`): made once, listened to and hung
//! up with the key that made them.
//!
//! [`Pool`] stands before one or several of them. What follows a failure is
//! decided in layers that know nothing of each other: `judgement` says what a
//! fault means, `retry` what may follow it, `budget` whether there is enough
//! left, `breaker` whether a target may be asked at all, `choice` which one is.

mod attempt_span;
mod body;
mod breaker;
mod budget;
mod call;
mod choice;
mod connect;
mod connect_url;
mod dial;
mod envelope;
mod exchange;
mod failure;
mod fault;
mod judgement;
mod observer;
mod openai;
mod pool;
mod random;
mod reply;
mod request;
mod retry;
mod retry_after;
mod settings;
mod target;
mod tls;
mod window;

pub use breaker::{BreakerSettings, BreakerState};
pub use choice::MAX_TARGETS;
pub use dial::{DialFailure, DialOrder, DialQuery, Dialled, Frames};
pub use observer::{BreakerChange, PoolObserver, Unobserved};
pub use openai::OpenAi;
pub use pool::{Pool, PoolParts};
pub use random::Random;
pub use retry::RetrySettings;
pub use settings::{SettingsError, UpstreamKind, UpstreamSettings};
pub use target::{TargetSettings, TargetStatus};
