//! Embedded and durable stores: API keys and the registry of grants.
//!
//! One SQLite file. Keys are written through and served from memory. Grants
//! are written behind, gathered into one transaction for many: what a crash
//! takes from the registry is in the audit trail, which is durable before a
//! secret leaves, and [`SqliteGrants::restore`] brings it back.

mod database;
mod flush;
mod grants;
mod keys;
mod rows;

pub use database::{Database, OpenError};
pub use flush::{Flusher, Progress};
pub use grants::SqliteGrants;
pub use keys::SqliteKeys;
