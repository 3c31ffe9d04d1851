//! The audit trail: records, chain, group commit, segments, verification.
