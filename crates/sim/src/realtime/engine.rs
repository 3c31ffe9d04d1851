//! A session's state, and its answer to each client event.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{
    audio::{InputBuffer, bytes_per_ms},
    conversation::{Conversation, Item},
    outbox::Outbox,
    reply::compose,
    response::{Outcome, Response},
    settings::Settings,
    usage::{Usage, audio_tokens},
};
use crate::{
    effective::{self, Session},
    error::ApiError,
    fault::{Fault, Route},
    schema::{self, invalid_choice, wrong_type},
    simulator::Core,
};

/// Totals of a session.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) responses: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
}

/// One session: client events in, server events out, no I/O.
#[derive(Debug)]
pub(crate) struct Engine {
    core: Arc<Core>,
    session: Session,
    conversation_id: String,
    conversation: Conversation,
    buffer: InputBuffer,
    response: Option<Response>,
    last_input: u64,
    tally: Tally,
    changed: bool,
    out: Outbox,
}

/// The client events OpenAI lists when it knows one not.
const EVENTS: [&str; 12] = [
    "session.update",
    "session.close",
    "input_audio_buffer.append",
    "session.input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.truncate",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "response.create",
    "response.cancel",
];

type Outcomes = Result<(), ApiError>;
type Event = Map<String, Value>;

impl Engine {
    pub(crate) fn new(core: Arc<Core>, session: Session) -> Self {
        let out = Outbox::new(Arc::clone(&core.ids));
        let conversation_id = out.id("conv_");
        Self {
            core,
            session,
            conversation_id,
            conversation: Conversation::default(),
            buffer: InputBuffer::default(),
            response: None,
            last_input: 0,
            tally: Tally::default(),
            changed: false,
            out,
        }
    }

    /// Greets the client with its session.
    pub(crate) fn greet(&mut self) {
        let session = &self.session;
        self.out
            .emit("session.created", json!({"session": session}));
    }

    /// Takes one text frame.
    pub(crate) fn receive(&mut self, text: &str) {
        let Ok(Value::Object(event)) = serde_json::from_str(text) else {
            let message = "Expected a JSON object with a 'type'.";
            return self.refuse(&ApiError::bad_request("invalid_event", message), None);
        };
        let id = event
            .get("event_id")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if let Err(error) = self.dispatch(&event) {
            self.refuse(&error, id.as_deref());
        }
    }

    /// Takes one binary frame.
    pub(crate) fn receive_binary(&mut self) {
        let message = "Expected a text WebSocket message; binary frames are not supported.";
        self.refuse(&ApiError::bad_request("invalid_event", message), None);
    }

    /// Whether a response waits for its next step.
    pub(crate) fn is_responding(&self) -> bool {
        self.response.is_some()
    }

    /// Moves the response on by one delta.
    pub(crate) fn step(&mut self) {
        let Some(mut response) = self.response.take() else {
            return;
        };
        if !response.is_open() {
            let previous = self.conversation.last_id().map(str::to_owned);
            response.open(&mut self.out, previous);
        }
        match response.step(&mut self.out) {
            Some(outcome) => self.finish(response, &outcome),
            None => self.response = Some(response),
        }
    }

    /// The events to send.
    pub(crate) fn take_frames(&mut self) -> Vec<String> {
        self.out.take()
    }

    /// Session and totals, if they changed since last asked.
    pub(crate) fn take_change(&mut self) -> Option<(&Session, Tally)> {
        let changed = std::mem::take(&mut self.changed);
        changed.then_some((&self.session, self.tally))
    }

    fn refuse(&mut self, error: &ApiError, cause: Option<&str>) {
        self.out.error(error, cause);
    }

    fn dispatch(&mut self, event: &Event) -> Outcomes {
        let Some(kind) = event.get("type") else {
            let message = "The 'type' field is missing.";
            return Err(ApiError::bad_request("invalid_event", message));
        };
        let kind = kind
            .as_str()
            .ok_or_else(|| wrong_type("type", "a string", kind))?;
        match kind {
            "session.update" => self.update(event),
            "input_audio_buffer.append" => self.append(event),
            "input_audio_buffer.commit" => self.commit(),
            "input_audio_buffer.clear" => self.clear(),
            "conversation.item.create" => self.create_item(event),
            "conversation.item.retrieve" => self.retrieve_item(event),
            "conversation.item.delete" => self.delete_item(event),
            "conversation.item.truncate" => self.truncate_item(event),
            "response.create" => self.create_response(event),
            "response.cancel" => self.cancel_response(event),
            "session.close" | "session.input_audio_buffer.append" => {
                let message = format!("'{kind}' belongs to translation sessions.");
                Err(ApiError::bad_request("invalid_event", message))
            }
            other => Err(invalid_choice(other, &EVENTS, "type")),
        }
    }

    fn update(&mut self, event: &Event) -> Outcomes {
        let change = event
            .get("session")
            .ok_or_else(|| ApiError::missing_parameter("session"))?;
        self.session = effective::update(&self.session, change)?;
        self.changed = true;
        let session = &self.session;
        self.out
            .emit("session.updated", json!({"session": session}));
        Ok(())
    }

    fn append(&mut self, event: &Event) -> Outcomes {
        self.buffer.append(text(event, "audio")?)
    }

    fn clear(&mut self) -> Outcomes {
        self.buffer.take(1);
        self.out.emit("input_audio_buffer.cleared", json!({}));
        Ok(())
    }

    fn commit(&mut self) -> Outcomes {
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

    fn create_item(&mut self, event: &Event) -> Outcomes {
        let item = event
            .get("item")
            .ok_or_else(|| ApiError::missing_parameter("item"))?;
        schema::check(schema::ITEM, item, "item")?;
        let kind = item
            .get("type")
            .ok_or_else(|| ApiError::missing_parameter("item.type"))?;
        let needed: &[&str] = match kind.as_str() {
            Some("message") => &["role", "content"],
            Some("function_call") => &["name", "arguments"],
            _ => &["call_id", "output"],
        };
        if let Some(missing) = needed.iter().find(|name| item.get(**name).is_none()) {
            return Err(ApiError::missing_parameter(&format!("item.{missing}")));
        }
        let mut members = object(item);
        members.retain(|_, value| !value.is_null());
        let item = Item::new(members, &self.out.id("item_"), 0);
        self.add(item, event.get("previous_item_id").and_then(Value::as_str))
    }

    fn add(&mut self, item: Item, after: Option<&str>) -> Outcomes {
        let members = item.members.clone();
        let previous = self.conversation.insert(item, after)?;
        let event = json!({"previous_item_id": previous, "item": members});
        self.out.emit("conversation.item.added", event.clone());
        self.out.emit("conversation.item.done", event);
        Ok(())
    }

    fn retrieve_item(&mut self, event: &Event) -> Outcomes {
        let id = text(event, "item_id")?;
        let found = self.conversation.find(id);
        let found =
            found.ok_or_else(|| no_item("retrieving", "item_retrieve_invalid_item_id", id))?;
        let members = json!({"item": found.members});
        self.out.emit("conversation.item.retrieved", members);
        Ok(())
    }

    fn delete_item(&mut self, event: &Event) -> Outcomes {
        let id = text(event, "item_id")?;
        if !self.conversation.remove(id) {
            return Err(no_item("deleting", "item_delete_invalid_item_id", id));
        }
        self.out
            .emit("conversation.item.deleted", json!({"item_id": id}));
        Ok(())
    }

    fn truncate_item(&mut self, event: &Event) -> Outcomes {
        let id = text(event, "item_id")?;
        let index = number(event, "content_index")?;
        let end = number(event, "audio_end_ms")?;
        if self.conversation.find(id).is_none() {
            return Err(no_item("truncating", "item_truncate_invalid_item_id", id));
        }
        let members = json!({"item_id": id, "content_index": index, "audio_end_ms": end});
        self.out.emit("conversation.item.truncated", members);
        Ok(())
    }

    fn create_response(&mut self, event: &Event) -> Outcomes {
        if effective::is_transcription(&self.session) {
            let message = "A transcription session does not create responses.";
            return Err(ApiError::bad_request("invalid_event", message));
        }
        let empty = json!({});
        let wanted = event
            .get("response")
            .filter(|it| !it.is_null())
            .unwrap_or(&empty);
        schema::check(schema::RESPONSE, wanted, "response")?;
        let settings = Settings::new(&self.session, &object(wanted));
        if let (Some(active), true) = (&self.response, settings.in_conversation) {
            return Err(already_active(&active.id));
        }
        if self.response.is_some() {
            // Responses beside the conversation may overlap on OpenAI's side;
            // here the earlier one is finished first.
            self.drain();
        }
        self.begin(settings);
        Ok(())
    }

    fn begin(&mut self, settings: Settings) {
        let given: Option<Vec<_>> = settings.input.as_ref().map(|items| {
            items
                .iter()
                .map(|item| Item::new(object(item), "", 0))
                .collect()
        });
        let items = given.as_deref().unwrap_or(self.conversation.items());
        let usage = Usage::of_input(&settings, items, self.last_input);
        let asked = match &given {
            Some(items) => items.last(),
            None => self.conversation.last_of_user(),
        };
        let reply = compose(&settings, asked);
        self.last_input = usage.input_text;
        let fault = self.core.faults.strike(Route::Response, &self.core.ids);
        let usage = if fault.is_some() {
            Usage::default()
        } else {
            usage
        };
        let response =
            Response::start(&mut self.out, &self.conversation_id, settings, reply, usage);
        match fault {
            Some(fault) => self.finish(response, &failure(&fault)),
            None => self.response = Some(response),
        }
        if self.core.config.response_pace.is_zero() {
            self.drain();
        }
    }

    fn drain(&mut self) {
        while self.response.is_some() {
            self.step();
        }
    }

    fn cancel_response(&mut self, event: &Event) -> Outcomes {
        let wanted = event.get("response_id").and_then(Value::as_str);
        let active = self.response.take();
        match active {
            Some(response) if wanted.is_none_or(|id| id == response.id) => {
                self.finish(response, &Outcome::Cancelled);
                Ok(())
            }
            other => {
                self.response = other;
                let message = "Cancellation failed: no active response found";
                Err(ApiError::bad_request("response_cancel_not_active", message))
            }
        }
    }

    fn finish(&mut self, response: Response, outcome: &Outcome) {
        let (item, usage) = response.finish(&mut self.out, outcome);
        if let Some(item) = item {
            // A full conversation only means the reply is not remembered.
            let _ = self.conversation.insert(item, None);
        }
        self.tally.responses += 1;
        self.tally.input_tokens += usage.input();
        self.tally.output_tokens += usage.output();
        self.changed = true;
        self.report_limits();
    }

    fn report_limits(&mut self) {
        let used = self.tally.input_tokens + self.tally.output_tokens;
        let limit: u64 = 15_000_000;
        let remaining = limit.saturating_sub(used);
        let tokens = json!({"name": "tokens", "limit": limit, "remaining": remaining, "reset_seconds": 0.001});
        self.out
            .emit("rate_limits.updated", json!({"rate_limits": [tokens]}));
    }

    fn input_member(&self, name: &str) -> Option<&Value> {
        self.session.get("audio")?.get("input")?.get(name)
    }
}

fn text<'a>(event: &'a Event, name: &str) -> Result<&'a str, ApiError> {
    let value = event
        .get(name)
        .ok_or_else(|| ApiError::missing_parameter(name))?;
    value
        .as_str()
        .ok_or_else(|| wrong_type(name, "a string", value))
}

fn number(event: &Event, name: &str) -> Result<u64, ApiError> {
    let value = event
        .get(name)
        .ok_or_else(|| ApiError::missing_parameter(name))?;
    value
        .as_u64()
        .ok_or_else(|| wrong_type(name, "an integer", value))
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn no_item(doing: &str, code: &'static str, id: &str) -> ApiError {
    let id: String = id.chars().take(100).collect();
    let message = format!("Error {doing} item: the item with id '{id}' does not exist.");
    ApiError::parameter(code, "item_id", message)
}

fn already_active(id: &str) -> ApiError {
    let message = format!(
        "Conversation already has an active response in progress: {id}. Wait until the response \
         is finished before creating a new one."
    );
    ApiError::bad_request("conversation_already_has_active_response", message)
}

/// A failed response, from the error in the fault's body or of its status.
fn failure(fault: &Fault) -> Outcome {
    let given = fault
        .body
        .as_ref()
        .and_then(|body| serde_json::from_slice::<Value>(body).ok());
    let envelope = given.unwrap_or_else(|| ApiError::of_status(fault.http_status()).envelope());
    let error = envelope.get("error").unwrap_or(&envelope);
    let member = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    Outcome::Failed {
        kind: member("type").to_owned(),
        code: error.get("code").cloned().unwrap_or(Value::Null),
        message: member("message").to_owned(),
    }
}
