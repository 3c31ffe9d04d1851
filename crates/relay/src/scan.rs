//! What an event is, seen from its first bytes.

mod append;
mod kind;

pub(crate) use append::{AppendScan, Appending};
pub(crate) use kind::KindScan;
