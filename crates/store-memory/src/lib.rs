//! Embedded and volatile stores: what one process counts.

mod leases;
mod quotas;
mod revocations;

pub use leases::MemoryLeases;
pub use quotas::MemoryQuotas;
pub use revocations::MemoryRevocations;
