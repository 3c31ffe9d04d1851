//! Audio that comes in.

use serde_json::{Value, json};

use super::{Engine, Event, Outcomes, object, text};
use crate::{
    error::ApiError,
    realtime::{audio::bytes_per_ms, conversation::Item, usage::audio_tokens},
};

impl Engine {
    pub(super) fn append(&mut self, event: &Event) -> Outcomes {
        self.buffer.append(text(event, "audio")?)
    }

    /// Takes audio that came on the call's track.
    pub(crate) fn hear(&mut self, milliseconds: u64) {
        let rate = bytes_per_ms(self.input_member("format"));
        self.buffer.hear(milliseconds, rate);
    }

    pub(super) fn clear(&mut self) -> Outcomes {
        self.buffer.take(1);
        self.out.emit("input_audio_buffer.cleared", json!({}));
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Outcomes {
        let rate = bytes_per_ms(self.input_member("format"));
        let held = self.buffer.milliseconds(rate);
        if held < 100 {
            let message = format!(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms \
                 of audio, but buffer only has {held}.00ms of audio."
            );
            return Err(ApiError::bad_request(
                "input_audio_buffer_commit_empty",
                message,
            ));
        }
        self.buffer.take(rate);
        let item = json!({
            "type": "message",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": null}],
        });
        let item = Item::new(object(&item), &self.out.id("item_"), held);
        let id = item.id().to_owned();
        let previous = self.conversation.last_id();
        let committed = json!({"previous_item_id": previous, "item_id": id});
        self.out.emit("input_audio_buffer.committed", committed);
        self.add(item, None)?;
        self.transcribe(&id, held);
        Ok(())
    }

    /// Reports a transcript, where the session asks for transcription.
    fn transcribe(&mut self, item_id: &str, milliseconds: u64) {
        let Some(Value::Object(transcriber)) = self.input_member("transcription") else {
            return;
        };
        let model = transcriber
            .get("model")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let by_tokens = model.starts_with("gpt-4o");
        let seconds = milliseconds as f64 / 1000.0;
        let transcript = format!("A simulated transcript of {seconds:.1} seconds.");
        let place = json!({"item_id": item_id, "content_index": 0, "delta": transcript});
        self.out
            .emit("conversation.item.input_audio_transcription.delta", place);
        let completed = if by_tokens {
            let (input, output) = (audio_tokens(milliseconds), 7);
            json!({"item_id": item_id, "content_index": 0, "transcript": transcript, "usage": {
                "type": "tokens",
                "total_tokens": input + output,
                "input_tokens": input,
                "input_token_details": {"text_tokens": 0, "audio_tokens": input},
                "output_tokens": output,
            }})
        } else {
            json!({
                "item_id": item_id, "content_index": 0, "transcript": transcript,
                "languages": ["en"],
                "usage": {"type": "duration", "seconds": seconds},
            })
        };
        self.out.emit(
            "conversation.item.input_audio_transcription.completed",
            completed,
        );
    }

    fn input_member(&self, name: &str) -> Option<&Value> {
        self.session.get("audio")?.get("input")?.get(name)
    }
}
