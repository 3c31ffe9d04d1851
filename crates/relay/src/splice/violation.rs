//! Whose bytes they are, and why they can't go on.

use crate::ws::HeadError;

/// Which end the bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The client, whose frames are masked.
    Client,
    /// OpenAI, whose frames are not.
    Upstream,
}

/// Why a connection can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// The frames are not WebSocket.
    #[error("a frame broke the protocol: {0}")]
    Protocol(&'static str),
    /// A message that was passing turned into another; its end was not sent on.
    #[error("a message broke its promise")]
    Promise,
}

impl From<HeadError> for Violation {
    fn from(error: HeadError) -> Self {
        Self::Protocol(match error {
            HeadError::Reserved => "a reserved bit is set",
            HeadError::Opcode => "the opcode is unknown",
            HeadError::Control => "a control frame is in pieces or too long",
            HeadError::Length => "the length is not in its shortest form",
        })
    }
}
