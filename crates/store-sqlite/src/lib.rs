//! Embedded and durable stores: API keys, revocations, the registry of grants,
//! passes and usage.
//!
//! One SQLite file. Keys and revocations are written through and
//! served from memory. Grants
//! are written behind, gathered into one transaction for many: what a crash
//! takes from the registry is in the audit trail, which is durable before a
//! secret leaves, and [`SqliteGrants::restore`] brings it back.

mod alerts;
mod calls;
mod copy;
mod database;
mod flush;
mod grant_rows;
mod grants;
mod held;
mod interviews;
mod keys;
mod life;
mod packed;
mod passes;
mod pending;
#[cfg(test)]
mod plans;
mod query;
mod revocations;
mod rows;
mod runs;
mod usage;

pub use alerts::SqliteAlerts;
pub use calls::SqliteCalls;
pub use copy::SqliteGiver;
pub use database::{Database, OpenError};
pub use flush::{Flusher, Progress};
pub use grants::SqliteGrants;
pub use interviews::SqliteInterviews;
pub use keys::SqliteKeys;
pub use passes::SqlitePasses;
pub use revocations::SqliteRevocations;
pub use usage::SqliteUsage;
