//! Every client event there is, and how it is treated.

/// How an event is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Treatment {
    /// Passes as it is: audio.
    Spliced,
    /// Passes as it was read.
    Allowed,
    /// Its `session` is held to the profile.
    Session,
    /// Its `response` is held to the profile.
    Response,
    /// Its `item` must not speak as system or developer.
    Item,
    /// Never passes.
    Refused,
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its type.
    pub kind: &'static str,
    /// How it is treated.
    pub treatment: Treatment,
}

const fn row(kind: &'static str, treatment: Treatment) -> Row {
    Row { kind, treatment }
}

/// Every client event OpenAI names; what is not here is refused.
pub const TABLE: &[Row] = &[
    row("session.update", Treatment::Session),
    row("input_audio_buffer.append", Treatment::Spliced),
    row("input_audio_buffer.commit", Treatment::Allowed),
    row("input_audio_buffer.clear", Treatment::Allowed),
    row("output_audio_buffer.clear", Treatment::Allowed),
    row("conversation.item.create", Treatment::Item),
    row("conversation.item.truncate", Treatment::Allowed),
    row("conversation.item.delete", Treatment::Allowed),
    row("conversation.item.retrieve", Treatment::Allowed),
    row("response.create", Treatment::Response),
    row("response.cancel", Treatment::Allowed),
    // Of translation sessions, which no profile opens.
    row("session.close", Treatment::Refused),
    row("session.input_audio_buffer.append", Treatment::Refused),
    // Of the retired beta.
    row("transcription_session.update", Treatment::Refused),
];
