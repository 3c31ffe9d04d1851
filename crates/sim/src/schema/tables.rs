//! The tables: every member of the bodies and events that are checked.

use super::{Member, Rule};

use Rule::{Any, Bool, Choice, Decimal, Integer, List, Object, Text, TextOr};

const fn must(name: &'static str, rule: Rule) -> Member {
    Member::new(name, rule)
}

const fn may(name: &'static str, rule: Rule) -> Member {
    Member::nullable(name, rule)
}

/// Body of `POST /v1/realtime/client_secrets`; the session is checked by type.
pub(crate) const MINT: &[Member] = &[
    may("expires_after", Object(EXPIRES_AFTER)),
    may("session", Any),
];

const EXPIRES_AFTER: &[Member] = &[
    must("anchor", Choice(&["created_at"])),
    must("seconds", Integer(10, 7200)),
];

/// A session of type `realtime`.
pub(crate) const REALTIME: &[Member] = &[
    must("type", Choice(&["realtime"])),
    must("model", Text),
    must("instructions", Text),
    must("output_modalities", MODALITIES),
    must("audio", Object(REALTIME_AUDIO)),
    must("max_output_tokens", MAX_OUTPUT_TOKENS),
    must("tools", TOOLS),
    must("tool_choice", TOOL_CHOICE),
    must("parallel_tool_calls", Bool),
    may("reasoning", Object(&[may("effort", Choice(EFFORTS))])),
    may(
        "truncation",
        TextOr(&Choice(&["auto", "disabled"]), &Object(TRUNCATION)),
    ),
    may("tracing", TextOr(&Choice(&["auto"]), &Object(TRACING))),
    may("include", INCLUDE),
    may("prompt", PROMPT),
];

/// A session of type `transcription`.
pub(crate) const TRANSCRIPTION: &[Member] = &[
    must("type", Choice(&["transcription"])),
    must("audio", Object(&[must("input", Object(INPUT))])),
    may("include", INCLUDE),
];

/// The `response` of a `response.create`.
pub(crate) const RESPONSE: &[Member] = &[
    may("audio", Object(&[may("output", Object(OUTPUT))])),
    may("conversation", Choice(&["auto", "none"])),
    may("input", List(&Any)),
    may("instructions", Text),
    may("max_output_tokens", MAX_OUTPUT_TOKENS),
    may("metadata", Any),
    may("output_modalities", MODALITIES),
    may("parallel_tool_calls", Bool),
    may("prompt", PROMPT),
    may("reasoning", Object(&[may("effort", Choice(EFFORTS))])),
    may("tool_choice", TOOL_CHOICE),
    may("tools", TOOLS),
];

/// The `item` of a `conversation.item.create`.
pub(crate) const ITEM: &[Member] = &[
    may("id", Text),
    may("object", Choice(&["realtime.item"])),
    must(
        "type",
        Choice(&["message", "function_call", "function_call_output"]),
    ),
    may(
        "status",
        Choice(&["completed", "incomplete", "in_progress"]),
    ),
    must("role", Choice(&["user", "assistant", "system"])),
    must("content", List(&Object(CONTENT))),
    may("call_id", Text),
    may("name", Text),
    may("arguments", Text),
    may("output", Text),
];

const CONTENT: &[Member] = &[
    must(
        "type",
        Choice(&[
            "input_text",
            "input_audio",
            "input_image",
            "output_text",
            "output_audio",
        ]),
    ),
    may("text", Text),
    may("audio", Text),
    may("transcript", Text),
    may("image_url", Text),
    may("detail", Choice(&["auto", "low", "high"])),
];

const MODALITIES: Rule = List(&Choice(&["text", "audio"]));
const MAX_OUTPUT_TOKENS: Rule = TextOr(&Choice(&["inf"]), &Integer(1, 4096));
const TOOLS: Rule = List(&Object(TOOL));
const TOOL_CHOICE: Rule = TextOr(&Choice(&["none", "auto", "required"]), &Any);
const EFFORTS: &[&str] = &["minimal", "low", "medium", "high", "xhigh"];
const INCLUDE: Rule = List(&Choice(&["item.input_audio_transcription.logprobs"]));
const PROMPT: Rule = Object(&[
    must("id", Text),
    may("version", Text),
    may("variables", Any),
]);

const TOOL: &[Member] = &[
    must("type", Choice(&["function", "mcp"])),
    may("name", Text),
    may("description", Text),
    may("parameters", Any),
    may("server_label", Text),
    may("server_url", Text),
    may("server_description", Text),
    may("connector_id", Text),
    may("authorization", Text),
    may("headers", Any),
    may("allowed_tools", Any),
    may("require_approval", Any),
    may("defer_loading", Bool),
];

const TRUNCATION: &[Member] = &[
    must("type", Choice(&["retention_ratio"])),
    must("retention_ratio", Decimal(0.0, 1.0)),
    may(
        "token_limits",
        Object(&[may("post_instructions", Integer(0, i64::MAX))]),
    ),
];

const TRACING: &[Member] = &[
    may("workflow_name", Text),
    may("group_id", Text),
    may("metadata", Any),
];

const REALTIME_AUDIO: &[Member] = &[must("input", Object(INPUT)), must("output", Object(OUTPUT))];

const INPUT: &[Member] = &[
    must("format", Object(FORMAT)),
    may(
        "noise_reduction",
        Object(&[must("type", Choice(&["near_field", "far_field"]))]),
    ),
    may("transcription", Object(TRANSCRIBER)),
    may("turn_detection", Object(TURN_DETECTION)),
];

const OUTPUT: &[Member] = &[
    must("format", Object(FORMAT)),
    must("voice", TextOr(&Text, &Object(&[must("id", Text)]))),
    must("speed", Decimal(0.25, 1.5)),
];

const FORMAT: &[Member] = &[
    must("type", Choice(&["audio/pcm", "audio/pcmu", "audio/pcma"])),
    must("rate", Integer(24_000, 24_000)),
];

const TRANSCRIBER: &[Member] = &[
    may("model", Text),
    may("language", Text),
    may("languages", List(&Text)),
    may("keywords", List(&Text)),
    may("prompt", Text),
    may("delay", Any),
];

const TURN_DETECTION: &[Member] = &[
    must("type", Choice(&["server_vad", "semantic_vad"])),
    may("threshold", Decimal(0.0, 1.0)),
    may("prefix_padding_ms", Integer(0, i64::MAX)),
    may("silence_duration_ms", Integer(0, i64::MAX)),
    may("idle_timeout_ms", Integer(0, i64::MAX)),
    may("eagerness", Choice(&["low", "medium", "high", "auto"])),
    may("create_response", Bool),
    may("interrupt_response", Bool),
];
