//! One response, event by event.

use serde_json::{Map, Value, json};

use super::{
    audio::{DELTA_MS, delta},
    conversation::Item,
    outbox::Outbox,
    reply::Reply,
    settings::Settings,
    usage::Usage,
};

/// A response on its way.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) id: String,
    item_id: String,
    call_id: String,
    conversation_id: String,
    pub(crate) settings: Settings,
    reply: Reply,
    usage: Usage,
    /// The item before ours in the conversation.
    previous: Option<String>,
    opened: bool,
    /// Deltas sent.
    sent: usize,
}

/// How a response ends.
#[derive(Debug)]
pub(crate) enum Outcome {
    Completed,
    Incomplete,
    Cancelled,
    Failed {
        kind: String,
        code: Value,
        message: String,
    },
}

impl Outcome {
    fn status(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
            Self::Cancelled => "cancelled",
            Self::Failed { .. } => "failed",
        }
    }

    fn details(&self) -> Value {
        match self {
            Self::Completed => Value::Null,
            Self::Incomplete => json!({"type": "incomplete", "reason": "max_output_tokens"}),
            Self::Cancelled => json!({"type": "cancelled", "reason": "client_cancelled"}),
            Self::Failed {
                kind,
                code,
                message,
            } => {
                let error = json!({"type": kind, "code": code, "message": message});
                json!({"type": "failed", "error": error})
            }
        }
    }
}

impl Response {
    /// Announces a response.
    pub(crate) fn start(
        out: &mut Outbox,
        conversation_id: &str,
        settings: Settings,
        reply: Reply,
        usage: Usage,
    ) -> Self {
        let response = Self {
            id: out.id("resp_"),
            item_id: out.id("item_"),
            call_id: out.id("call_"),
            conversation_id: conversation_id.to_owned(),
            settings,
            reply,
            usage,
            previous: None,
            opened: false,
            sent: 0,
        };
        let members = response.members("in_progress", &Value::Null, &[], &Value::Null);
        out.emit("response.created", json!({"response": members}));
        response
    }

    /// Opens the item, behind `previous`.
    pub(crate) fn open(&mut self, out: &mut Outbox, previous: Option<String>) {
        self.opened = true;
        self.previous = previous;
        let item = self.item("in_progress");
        self.emit(
            out,
            "response.output_item.added",
            json!({"output_index": 0, "item": item}),
        );
        if self.settings.in_conversation {
            let members = json!({"previous_item_id": self.previous, "item": item});
            out.emit("conversation.item.added", members);
        }
        if matches!(self.reply, Reply::Words(_)) {
            self.emit_part(out, "response.content_part.added", "");
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.opened
    }

    /// Sends the next delta; otherwise tells how the response ends.
    pub(crate) fn step(&mut self, out: &mut Outbox) -> Option<Outcome> {
        let (length, allowed) = (self.length(), self.allowed());
        if self.sent >= allowed {
            return Some(if allowed < length {
                Outcome::Incomplete
            } else {
                Outcome::Completed
            });
        }
        match &self.reply {
            Reply::Function { .. } => {
                let members =
                    json!({"output_index": 0, "call_id": self.call_id, "delta": ARGUMENTS});
                self.emit_of_item(out, "response.function_call_arguments.delta", members);
            }
            Reply::Words(words) => {
                let word = words.get(self.sent).cloned().unwrap_or_default();
                self.emit_word(out, &word);
            }
        }
        self.sent += 1;
        None
    }

    /// Closes everything that is open; the answer is the item, and the usage.
    pub(crate) fn finish(mut self, out: &mut Outbox, outcome: &Outcome) -> (Option<Item>, Usage) {
        self.count_output();
        let status = outcome.status();
        let mut item = None;
        if self.opened {
            self.close_content(out);
            let complete = matches!(outcome, Outcome::Completed);
            item = Some(self.item(if complete { "completed" } else { "incomplete" }));
        }
        if let Some(item) = &item {
            if self.settings.in_conversation {
                let members = json!({"previous_item_id": self.previous, "item": item});
                out.emit("conversation.item.done", members);
            }
            self.emit(
                out,
                "response.output_item.done",
                json!({"output_index": 0, "item": item}),
            );
        }
        let output: Vec<_> = item.iter().map(Self::in_output).collect();
        let usage = self.usage.to_json();
        let mut members = self.members(status, &outcome.details(), &output, &usage);
        if matches!(outcome, Outcome::Cancelled | Outcome::Failed { .. }) {
            members.remove("audio");
        }
        out.emit("response.done", json!({"response": members}));
        let item = item.filter(|_| self.settings.in_conversation);
        (
            item.map(|members| Item::new(members, &self.item_id, 0)),
            self.usage,
        )
    }

    fn members(
        &self,
        status: &str,
        details: &Value,
        output: &[Value],
        usage: &Value,
    ) -> Map<String, Value> {
        let settings = &self.settings;
        let conversation = settings.in_conversation.then_some(&self.conversation_id);
        let members = json!({
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": output,
            "conversation_id": conversation,
            "output_modalities": settings.modalities(),
            "max_output_tokens": settings.max_output_tokens,
            "audio": {"output": {"format": settings.format, "voice": settings.voice}},
            "usage": usage,
            "metadata": settings.metadata,
        });
        object(members)
    }

    fn item(&self, status: &str) -> Map<String, Value> {
        let content = match &self.reply {
            Reply::Function { name } => {
                let arguments = if self.sent > 0 { ARGUMENTS } else { "" };
                return object(json!({
                    "id": self.item_id,
                    "object": "realtime.item",
                    "type": "function_call",
                    "status": status,
                    "name": name,
                    "call_id": self.call_id,
                    "arguments": arguments,
                }));
            }
            Reply::Words(_) if status == "in_progress" => json!([]),
            Reply::Words(_) if self.settings.speaks => {
                json!([{"type": "output_audio", "transcript": self.text()}])
            }
            Reply::Words(_) => json!([{"type": "output_text", "text": self.text()}]),
        };
        object(json!({
            "id": self.item_id,
            "object": "realtime.item",
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }))
    }

    /// Items in a response's `output` do not name their object.
    fn in_output(item: &Map<String, Value>) -> Value {
        let mut item = item.clone();
        item.remove("object");
        Value::Object(item)
    }

    fn emit_word(&self, out: &mut Outbox, word: &str) {
        let of_part = |delta: &str| json!({"output_index": 0, "content_index": 0, "delta": delta});
        if !self.settings.speaks {
            return self.emit_of_item(out, "response.output_text.delta", of_part(word));
        }
        self.emit_of_item(out, "response.output_audio_transcript.delta", of_part(word));
        if !out.play(&self.id, DELTA_MS) {
            let sound = delta(Some(&self.settings.format));
            self.emit_of_item(out, "response.output_audio.delta", of_part(sound));
        }
    }

    fn close_content(&self, out: &mut Outbox) {
        let text = self.text();
        match &self.reply {
            Reply::Function { name } => {
                let members = json!({
                    "output_index": 0, "call_id": self.call_id, "name": name, "arguments": text,
                });
                return self.emit_of_item(out, "response.function_call_arguments.done", members);
            }
            Reply::Words(_) if self.settings.speaks => {
                let place = json!({"output_index": 0, "content_index": 0});
                self.emit_of_item(out, "response.output_audio.done", place);
                let members = json!({"output_index": 0, "content_index": 0, "transcript": text});
                self.emit_of_item(out, "response.output_audio_transcript.done", members);
            }
            Reply::Words(_) => {
                let members = json!({"output_index": 0, "content_index": 0, "text": text});
                self.emit_of_item(out, "response.output_text.done", members);
            }
        }
        self.emit_part(out, "response.content_part.done", &text);
    }

    fn emit_part(&self, out: &mut Outbox, kind: &str, text: &str) {
        let part = if self.settings.speaks {
            json!({"type": "audio", "transcript": text})
        } else {
            json!({"type": "text", "text": text})
        };
        let members = json!({"output_index": 0, "content_index": 0, "part": part});
        self.emit_of_item(out, kind, members);
    }

    fn emit_of_item(&self, out: &mut Outbox, kind: &str, members: Value) {
        let mut members = object(members);
        members.insert("item_id".to_owned(), json!(self.item_id));
        self.emit(out, kind, Value::Object(members));
    }

    fn emit(&self, out: &mut Outbox, kind: &str, members: Value) {
        let mut members = object(members);
        members.insert("response_id".to_owned(), json!(self.id));
        out.emit(kind, Value::Object(members));
    }

    /// The text sent so far.
    fn text(&self) -> String {
        match &self.reply {
            Reply::Words(words) => words.iter().take(self.sent).map(String::as_str).collect(),
            Reply::Function { .. } if self.sent > 0 => ARGUMENTS.to_owned(),
            Reply::Function { .. } => String::new(),
        }
    }

    /// Deltas of the whole reply.
    fn length(&self) -> usize {
        match &self.reply {
            Reply::Words(words) => words.len(),
            Reply::Function { .. } => 1,
        }
    }

    /// Deltas the token limit allows.
    fn allowed(&self) -> usize {
        let allowed = self.settings.token_limit() / self.tokens_per_delta();
        self.length()
            .min(usize::try_from(allowed).unwrap_or(usize::MAX))
    }

    fn tokens_per_delta(&self) -> u64 {
        1 + self.audio_tokens_per_delta()
    }

    fn audio_tokens_per_delta(&self) -> u64 {
        let speaks = self.settings.speaks && matches!(self.reply, Reply::Words(_));
        // 1200 tokens a minute of audio that goes out.
        if speaks { DELTA_MS / 50 } else { 0 }
    }

    fn count_output(&mut self) {
        let sent = self.sent as u64;
        self.usage.output_text = sent;
        self.usage.output_audio = sent * self.audio_tokens_per_delta();
    }
}

/// What every function is called with.
const ARGUMENTS: &str = "{}";

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
