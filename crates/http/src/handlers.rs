//! One file for each thing a request can ask for.

pub(crate) mod admin;
pub(crate) mod alerts;
pub(crate) mod audit;
pub(crate) mod breaker;
pub(crate) mod calls;
pub(crate) mod docs;
pub(crate) mod fallback;
pub(crate) mod grants;
pub(crate) mod health;
pub(crate) mod interviews;
pub(crate) mod keys;
pub(crate) mod metrics;
pub(crate) mod mint;
pub(crate) mod refresh;
pub(crate) mod reports;
pub(crate) mod revocations;
pub(crate) mod revoke;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod usage;
