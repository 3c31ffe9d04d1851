//! A session's state, and its answer to each client event.

mod input;
mod items;
mod responses;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{audio::InputBuffer, conversation::Conversation, outbox::Outbox, response::Response};
use crate::{
    effective::{self, Session},
    error::ApiError,
    schema::{invalid_choice, wrong_type},
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

    /// The session of a call: its sound comes and leaves on tracks.
    pub(crate) fn of_call(core: Arc<Core>, session: Session) -> Self {
        let mut engine = Self::new(core, session);
        engine.out.use_track();
        engine
    }

    /// The sound to send on the track, milliseconds; none twice.
    pub(crate) fn take_sound(&mut self) -> u64 {
        self.out.take_sound()
    }

    /// Whether a response is being heard.
    pub(crate) fn is_heard(&self) -> bool {
        self.out.is_heard()
    }

    /// Whether sound of a finished response may still be heard.
    pub(crate) fn is_fading(&self) -> bool {
        self.is_heard() && !self.is_responding()
    }

    /// The sound of the last response has been heard.
    pub(crate) fn heard(&mut self) {
        self.out.fall_silent("output_audio_buffer.stopped");
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
            "output_audio_buffer.clear" if self.out.has_track() => {
                self.out.fall_silent("output_audio_buffer.cleared");
                Ok(())
            }
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
