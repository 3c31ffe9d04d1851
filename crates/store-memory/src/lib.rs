//! Embedded and volatile stores: what one process counts.

mod alerts;
mod leases;
mod passes;
mod quotas;
mod revocations;
mod usage;

pub use alerts::MemoryAlerts;
pub use leases::MemoryLeases;
pub use passes::MemoryPasses;
pub use quotas::MemoryQuotas;
pub use revocations::MemoryRevocations;
pub use usage::{DaySums, MemoryUsage};
