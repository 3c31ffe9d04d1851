//! The real binary, from outside: over its sockets, files, signals and output.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failure here fails the test"
)]

mod admin_keys;
mod alerts;
mod audit_unwritable;
mod bad_input;
mod calls;
mod canary;
mod cli_audit;
mod cli_auth;
mod cli_config;
mod cli_grants;
mod cli_keys;
mod cli_pages;
mod cli_scan;
mod concurrent;
mod console;
mod crash;
mod dev_credentials;
mod dev_restart;
mod dev_start;
mod dev_tls;
mod fault_matrix;
mod grafana;
mod hang_up;
mod incidents;
mod interviews;
mod life;
mod limits;
mod login;
mod operations;
mod outage;
mod overload;
mod refused_settings;
mod relay;
mod reload;
mod replicas;
mod rolling_restart;
mod rotation;
mod security_page;
mod serve_drain;
mod serve_tls;
mod shared_store;
mod support;
mod system_calls;
mod traces;
mod trail_damage;
mod trail_wiring;
mod usage;
mod vectors;

/// The task that writes what lasts.
pub(crate) const WRITER: &str = "grant-flusher";

/// Where servers of these tests keep what lasts: in a file of their own.
pub(crate) fn durable(_folder: &std::path::Path) -> Option<String> {
    None
}

/// Where servers of these tests count together: nowhere, each counts alone.
pub(crate) fn shared(_folder: &std::path::Path) -> Option<String> {
    None
}
