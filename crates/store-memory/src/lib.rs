//! Embedded and volatile stores: quotas.
