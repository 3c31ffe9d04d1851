//! Embedded and volatile stores: what one process counts.

mod quotas;

pub use quotas::MemoryQuotas;
