//! The way to OpenAI: wire types, calls, deadlines, error table.
//!
//! [`OpenAi`] obtains client secrets. It sends one request per mint, never
//! repeats one, follows no redirect, asks no proxy, and gives up everything at
//! the order's deadline. What comes back is checked before it is believed, and
//! every way to fail has one row in the table of `fault.rs`.

mod body;
mod connect;
mod connect_url;
mod envelope;
mod failure;
mod fault;
mod openai;
mod reply;
mod request;
mod retry_after;
mod settings;
mod tls;

pub use openai::OpenAi;
pub use settings::{SettingsError, UpstreamSettings};
