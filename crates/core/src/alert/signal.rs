//! What the engine is told.

use std::collections::BTreeSet;

use super::{fired::Cause, rule::RuleKind};
use crate::Timestamp;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A client secret was issued, or could not be.
    Mint {
        /// When it was recorded.
        at: Timestamp,
        /// Whose it is, where they are a person: a machine mints for many.
        user: Option<String>,
        /// Whether it failed by our fault or OpenAI's.
        failed: bool,
    },
    /// Something that is an alert by itself.
    Event {
        /// When it was recorded.
        at: Timestamp,
        /// Which rules watch for it.
        kind: RuleKind,
        /// What it is about.
        cause: Cause,
    },
}

/// How something is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// Which rules watch it.
    pub kind: RuleKind,
    /// What it is about.
    pub cause: Cause,
    /// Its value, in the unit of the rule's threshold.
    pub value: f64,
    /// What else there is to tell; may change while the cause stays the same.
    pub detail: String,
}

/// How everything is now. What is not named here is well.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Levels {
    /// What is known.
    pub known: Vec<Level>,
    /// Kinds of which nothing is known yet: their alerts stay as they are.
    pub unknown: BTreeSet<RuleKind>,
}
