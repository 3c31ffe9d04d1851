//! How much a session uses, read from OpenAI's own events.

mod price;

use std::sync::Arc;

use hallpass_core::{
    money::NanoUsd,
    usage::{Reading, Tokens, Usage},
};
use serde::Deserialize;

pub use price::{Price, PriceError, Prices};

/// Reads usage and prices it.
#[derive(Debug, Clone)]
pub struct Meter {
    prices: Arc<Prices>,
    model: String,
    transcriber: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    response: Option<Response>,
    usage: Option<TranscriptionUsage>,
}

#[derive(Deserialize)]
struct Response {
    usage: Option<ResponseUsage>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseUsage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_token_details: Details,
    output_token_details: Details,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    text_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
    cached_tokens: Option<u64>,
    cached_tokens_details: Option<Cached>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cached {
    text_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    image_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TranscriptionUsage {
    seconds: Option<f64>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_token_details: Details,
}

impl Meter {
    /// A meter for sessions of a model, whose input is transcribed by another.
    #[must_use]
    pub fn new(prices: Arc<Prices>, model: &str, transcriber: Option<&str>) -> Self {
        Self {
            prices,
            model: model.to_owned(),
            transcriber: transcriber.unwrap_or("unknown").to_owned(),
        }
    }

    /// Whether events of this type tell of usage.
    #[must_use]
    pub fn reads(kind: &str) -> bool {
        matches!(
            kind,
            "response.done"
                | "conversation.item.input_audio_transcription.completed"
                | "conversation.item.input_audio_transcription.failed"
        )
    }

    /// What an event says was used; an event that can't be read, or was too
    /// long to be copied, counts as one of unknown cost.
    #[must_use]
    pub fn read(&self, event: Option<&[u8]>) -> Option<Reading> {
        let read = event.and_then(|event| serde_json::from_slice::<Event>(event).ok());
        let Some(event) = read else {
            return Some(self.unknown_response());
        };
        match event.kind.as_str() {
            "response.done" => Some(self.response(event.response)),
            "conversation.item.input_audio_transcription.completed" => {
                Some(self.transcription(event.usage))
            }
            // Nothing is billed for one that failed, unless OpenAI says so.
            _ => event.usage.map(|usage| self.transcription(Some(usage))),
        }
    }

    fn response(&self, response: Option<Response>) -> Reading {
        let Some(usage) = response.and_then(|response| response.usage) else {
            return self.unknown_response();
        };
        let tokens = usage.tokens();
        let price = self.prices.of(&self.model);
        let cost = tokens.and_then(|tokens| price?.of_tokens(&tokens));
        Reading {
            model: self.model.clone(),
            usage: Usage {
                responses: 1,
                tokens: tokens.unwrap_or_default(),
                cost: cost.unwrap_or(NanoUsd::ZERO),
                unpriced: u64::from(cost.is_none()),
                ..Usage::default()
            },
        }
    }

    fn unknown_response(&self) -> Reading {
        Reading {
            model: self.model.clone(),
            usage: Usage {
                responses: 1,
                unpriced: 1,
                ..Usage::default()
            },
        }
    }

    fn transcription(&self, usage: Option<TranscriptionUsage>) -> Reading {
        let usage = usage.unwrap_or_default();
        let price = self.prices.of(&self.transcriber);
        let transcribed_ms = usage.seconds.and_then(millis);
        let tokens = usage.tokens();
        let cost = match (transcribed_ms, tokens) {
            (Some(ms), _) => price.and_then(|price| price.of_time(ms)),
            (None, Some(tokens)) => price.and_then(|price| price.of_tokens(&tokens)),
            (None, None) => None,
        };
        Reading {
            model: self.transcriber.clone(),
            usage: Usage {
                transcriptions: 1,
                tokens: tokens.unwrap_or_default(),
                transcribed_ms: transcribed_ms.unwrap_or(0),
                cost: cost.unwrap_or(NanoUsd::ZERO),
                unpriced: u64::from(cost.is_none()),
                ..Usage::default()
            },
        }
    }
}

impl ResponseUsage {
    /// The tokens by kind; none where OpenAI named no number at all.
    fn tokens(&self) -> Option<Tokens> {
        let (input, output) = (&self.input_token_details, &self.output_token_details);
        let told = [
            self.input_tokens,
            self.output_tokens,
            input.text_tokens,
            input.audio_tokens,
            output.text_tokens,
            output.audio_tokens,
        ];
        told.iter().any(Option::is_some).then(|| {
            let mut tokens = input.input(self.input_tokens);
            tokens.output_audio = output.audio_tokens.unwrap_or(0);
            tokens.output_text = output
                .text_tokens
                .unwrap_or_else(|| rest(self.output_tokens, &[tokens.output_audio]));
            tokens
        })
    }
}

impl TranscriptionUsage {
    fn tokens(&self) -> Option<Tokens> {
        if self.input_tokens.is_none() && self.output_tokens.is_none() {
            return None;
        }
        Some(Tokens {
            output_text: self.output_tokens.unwrap_or(0),
            ..self.input_token_details.input(self.input_tokens)
        })
    }
}

impl Details {
    /// Input by kind; what is told only in sum is taken for text.
    fn input(&self, all: Option<u64>) -> Tokens {
        let (audio, image) = (
            self.audio_tokens.unwrap_or(0),
            self.image_tokens.unwrap_or(0),
        );
        let text = self
            .text_tokens
            .unwrap_or_else(|| rest(all, &[audio, image]));
        let of = self.cached_tokens_details.as_ref();
        let (cached_audio, cached_image) = (
            of.and_then(|of| of.audio_tokens).unwrap_or(0),
            of.and_then(|of| of.image_tokens).unwrap_or(0),
        );
        let cached_text = of
            .and_then(|of| of.text_tokens)
            .unwrap_or_else(|| rest(self.cached_tokens, &[cached_audio, cached_image]));
        Tokens {
            input_text: text,
            input_audio: audio,
            input_image: image,
            cached_text: cached_text.min(text),
            cached_audio: cached_audio.min(audio),
            cached_image: cached_image.min(image),
            ..Tokens::default()
        }
    }
}

fn rest(all: Option<u64>, parts: &[u64]) -> u64 {
    let told: u64 = parts.iter().fold(0, |sum, part| sum.saturating_add(*part));
    all.unwrap_or(0).saturating_sub(told)
}

/// Whole milliseconds, rounded up: nothing that was used is free.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the bounds are checked first"
)]
fn millis(seconds: f64) -> Option<u64> {
    let millis = (seconds * 1000.0).ceil();
    (0.0..1e12).contains(&millis).then_some(millis as u64)
}

#[cfg(test)]
mod tests;
