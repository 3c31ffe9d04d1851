//! The members of a session that OpenAI documents, as dotted paths.

use crate::section::Kind;

const BOTH: [&str; 13] = [
    "audio",
    "audio.input",
    "audio.input.format",
    "audio.input.noise_reduction",
    "audio.input.noise_reduction.type",
    "audio.input.transcription",
    "audio.input.transcription.model",
    "audio.input.transcription.language",
    "audio.input.transcription.languages",
    "audio.input.transcription.keywords",
    "audio.input.transcription.prompt",
    "audio.input.turn_detection",
    "include",
];

const TURN_DETECTION: [&str; 9] = [
    "audio.input.noise_reduction.strength",
    "audio.input.turn_detection.type",
    "audio.input.turn_detection.threshold",
    "audio.input.turn_detection.prefix_padding_ms",
    "audio.input.turn_detection.silence_duration_ms",
    "audio.input.turn_detection.idle_timeout_ms",
    "audio.input.turn_detection.create_response",
    "audio.input.turn_detection.interrupt_response",
    "audio.input.turn_detection.eagerness",
];

const REALTIME: [&str; 17] = [
    "model",
    "instructions",
    "output_modalities",
    "audio.output",
    "audio.output.format",
    "audio.output.voice",
    "audio.output.speed",
    "max_output_tokens",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "reasoning.effort",
    "truncation",
    "tracing",
    "prompt",
    "type",
];

/// Every path of a session of this kind.
pub(crate) fn paths(kind: Kind) -> Vec<&'static str> {
    let own: &[&str] = match kind {
        Kind::Realtime => &REALTIME,
        Kind::Transcription => &["type"],
    };
    BOTH.iter()
        .chain(&TURN_DETECTION)
        .chain(own)
        .copied()
        .collect()
}

/// The members at the top of a session of this kind.
pub(crate) fn top_level(kind: Kind) -> Vec<&'static str> {
    paths(kind)
        .into_iter()
        .filter(|path| !path.contains('.'))
        .collect()
}

/// Whether a session of this kind has a member at this path.
pub(crate) fn is_known(kind: Kind, path: &str) -> bool {
    paths(kind).contains(&path)
}
