//! Sound: how much came in, and a tone to send out.

use std::{f64::consts::TAU, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::error::ApiError;

/// Length of one audio delta, milliseconds.
pub(crate) const DELTA_MS: u64 = 100;

/// The input audio buffer: only its length is kept.
#[derive(Debug, Default)]
pub(crate) struct InputBuffer {
    bytes: u64,
    decoded: Vec<u8>,
}

impl InputBuffer {
    /// Adds audio in base64.
    pub(crate) fn append(&mut self, audio: &str) -> Result<(), ApiError> {
        self.decoded.clear();
        let decoded = STANDARD.decode_vec(audio, &mut self.decoded);
        decoded.map_err(|_| {
            let message = "Invalid 'audio'. Expected base64-encoded audio bytes.".to_owned();
            ApiError::parameter("invalid_value", "audio", message)
        })?;
        self.bytes += self.decoded.len() as u64;
        Ok(())
    }

    /// Adds audio that came on a track.
    pub(crate) fn hear(&mut self, milliseconds: u64, bytes_per_ms: u64) {
        self.bytes += milliseconds * bytes_per_ms;
    }

    /// Empties the buffer; the answer is how many milliseconds it held.
    pub(crate) fn take(&mut self, bytes_per_ms: u64) -> u64 {
        let bytes = std::mem::take(&mut self.bytes);
        bytes / bytes_per_ms.max(1)
    }

    /// How many milliseconds it holds.
    pub(crate) fn milliseconds(&self, bytes_per_ms: u64) -> u64 {
        self.bytes / bytes_per_ms.max(1)
    }
}

/// Bytes a millisecond of this audio format takes.
pub(crate) fn bytes_per_ms(format: Option<&Value>) -> u64 {
    if is_pcm(format) { 48 } else { 8 }
}

/// A delta of audio in base64: a tone, or silence where it is telephone audio.
pub(crate) fn delta(format: Option<&Value>) -> &'static str {
    if is_pcm(format) { &TONE } else { &SILENCE }
}

fn is_pcm(format: Option<&Value>) -> bool {
    format
        .and_then(|it| it.get("type"))
        .is_none_or(|kind| kind == "audio/pcm")
}

/// 480 Hz, PCM16 at 24 kHz: whole periods, so that deltas join without a click.
static TONE: LazyLock<String> = LazyLock::new(|| {
    let samples = 0..24 * DELTA_MS;
    let wave = samples.flat_map(|sample| {
        let phase = TAU * 480.0 * sample as f64 / 24_000.0;
        ((phase.sin() * 6000.0) as i16).to_le_bytes()
    });
    STANDARD.encode(wave.collect::<Vec<_>>())
});

/// 0xFF is silence in G.711 µ-law, and next to it in A-law.
static SILENCE: LazyLock<String> =
    LazyLock::new(|| STANDARD.encode(vec![0xFF_u8; 8 * DELTA_MS as usize]));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_is_as_long_as_it_says() {
        let mut buffer = InputBuffer::default();
        buffer.append(delta(None)).unwrap();
        assert_eq!(buffer.milliseconds(48), DELTA_MS);
        assert_eq!(buffer.take(48), DELTA_MS);
        assert_eq!(buffer.take(48), 0);
    }
}
