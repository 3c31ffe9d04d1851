//! Token counts as a response reports them.

use serde_json::{Value, json};

use super::{conversation::Item, settings::Settings};

/// What went into a response, and what came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input_text: u64,
    pub(crate) input_audio: u64,
    /// Part of the input text that was in the last response's input too.
    pub(crate) cached_text: u64,
    pub(crate) output_text: u64,
    pub(crate) output_audio: u64,
}

impl Usage {
    /// Counts the input: instructions, tools and items.
    pub(crate) fn of_input(settings: &Settings, items: &[Item], cached: u64) -> Self {
        let tools: u64 = settings
            .tools
            .iter()
            .map(|tool| text_tokens(&tool.to_string()))
            .sum();
        let texts: u64 = items.iter().map(|item| text_tokens(&item.text())).sum();
        let input_text = text_tokens(&settings.instructions) + tools + texts;
        let input_audio = items.iter().map(|item| audio_tokens(item.audio_ms)).sum();
        // Caches work in blocks of 64 tokens.
        let cached_text = cached.min(input_text) / 64 * 64;
        Self {
            input_text,
            input_audio,
            cached_text,
            ..Self::default()
        }
    }

    pub(crate) fn input(&self) -> u64 {
        self.input_text + self.input_audio
    }

    pub(crate) fn output(&self) -> u64 {
        self.output_text + self.output_audio
    }

    /// The `usage` of `response.done`.
    pub(crate) fn to_json(self) -> Value {
        json!({
            "total_tokens": self.input() + self.output(),
            "input_tokens": self.input(),
            "output_tokens": self.output(),
            "input_token_details": {
                "text_tokens": self.input_text,
                "audio_tokens": self.input_audio,
                "image_tokens": 0,
                "cached_tokens": self.cached_text,
                "cached_tokens_details": {
                    "text_tokens": self.cached_text,
                    "audio_tokens": 0,
                    "image_tokens": 0,
                },
            },
            "output_token_details": {
                "text_tokens": self.output_text,
                "audio_tokens": self.output_audio,
            },
        })
    }
}

/// About four characters make a token.
fn text_tokens(text: &str) -> u64 {
    (text.chars().count() as u64).div_ceil(4)
}

/// 600 tokens a minute of audio that comes in.
pub(crate) fn audio_tokens(milliseconds: u64) -> u64 {
    milliseconds / 100
}
