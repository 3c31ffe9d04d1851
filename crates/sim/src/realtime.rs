//! What happens inside a session, without any I/O: texts in, texts out.

#[cfg(test)]
mod arbitrary;
mod audio;
mod conversation;
mod engine;
mod outbox;
mod reply;
mod response;
mod settings;
mod usage;

pub(crate) use engine::{Engine, Tally};
pub(crate) use outbox::error_event;
