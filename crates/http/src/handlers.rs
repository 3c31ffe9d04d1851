//! One file for each thing a request can ask for.

pub(crate) mod docs;
pub(crate) mod fallback;
pub(crate) mod grants;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod mint;
