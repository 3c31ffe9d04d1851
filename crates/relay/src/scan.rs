//! What an event is, seen from its first bytes.

mod append;
mod kind;

pub(crate) use append::{Appending, AppendScan};
pub(crate) use kind::KindScan;
