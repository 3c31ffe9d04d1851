//! Alerts: what an operator has to know of before a user tells it.
//!
//! [`Engine`] is a pure state machine. It is told what happened and how things
//! are, and says which alerts begin and end; whoever holds it keeps them,
//! records them and sends them out. Nothing of it is on a request's path.

mod book;
mod engine;
mod fired;
mod rule;
mod signal;
mod windows;
mod words;

pub use book::{AlertBook, AlertFilter, Letter, Outbox};
pub use engine::{Engine, Turn};
pub use fired::{Acknowledgement, Alert, AlertId, Cause, Fingerprint};
pub use rule::{Comparison, Measure, Rule, RuleKind, Severity};
pub use signal::{Level, Levels, Signal};
