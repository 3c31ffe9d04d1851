//! Puts the parts together, in one visible order.
//!
//! [`server`] is the list; each other file makes one part of what the
//! configuration says.

pub(crate) mod admin_client;
pub(crate) mod alerts;
pub(crate) mod authentication;
pub(crate) mod calls;
pub(crate) mod client_files;
pub(crate) mod clock;
pub(crate) mod console;
mod counting;
pub(crate) mod durable;
pub(crate) mod follow;
pub(crate) mod following;
pub(crate) mod guard;
pub(crate) mod install;
pub(crate) mod jwks;
pub(crate) mod key_desk;
pub(crate) mod keyring;
pub(crate) mod life;
pub(crate) mod lifecycle;
pub(crate) mod listener;
pub(crate) mod observed;
pub(crate) mod outbound;
pub(crate) mod policy;
pub(crate) mod private_file;
pub(crate) mod recent_mints;
pub(crate) mod relay;
pub(crate) mod reload;
pub(crate) mod reload_rules;
pub(crate) mod replica;
pub(crate) mod self_scan;
pub(crate) mod server;
pub(crate) mod sessions;
pub(crate) mod shared;
pub(crate) mod tls;
pub(crate) mod traces;
pub(crate) mod trail;
pub(crate) mod upstream;
