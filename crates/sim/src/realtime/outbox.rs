//! Events on their way to the client.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{error::ApiError, ids::Ids};

/// Collects the events one client event, or one step, gives rise to.
#[derive(Debug)]
pub(crate) struct Outbox {
    ids: Arc<Ids>,
    frames: Vec<String>,
}

impl Outbox {
    pub(crate) fn new(ids: Arc<Ids>) -> Self {
        Self {
            ids,
            frames: Vec::new(),
        }
    }

    /// Adds an event: its type, its own id, its members.
    pub(crate) fn emit(&mut self, kind: &str, members: Value) {
        let Value::Object(mut event) = members else {
            return;
        };
        event.insert("type".to_owned(), json!(kind));
        event.insert("event_id".to_owned(), json!(self.ids.short("event_")));
        self.push(&event);
    }

    /// Adds an `error` event; `cause` is the client event's own id.
    pub(crate) fn error(&mut self, error: &ApiError, cause: Option<&str>) {
        let event = error_event(error, cause, &self.ids);
        self.push(&event);
    }

    /// A fresh identifier, such as `item_…`.
    pub(crate) fn id(&self, prefix: &str) -> String {
        self.ids.short(prefix)
    }

    /// Hands over what was collected.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.frames)
    }

    fn push(&mut self, event: &Map<String, Value>) {
        if let Ok(frame) = serde_json::to_string(event) {
            self.frames.push(frame);
        }
    }
}

/// An `error` event as OpenAI sends it in a session.
pub(crate) fn error_event(error: &ApiError, cause: Option<&str>, ids: &Ids) -> Map<String, Value> {
    let mut inner = Map::new();
    inner.insert("type".to_owned(), json!(error.kind));
    inner.insert("code".to_owned(), json!(error.code));
    inner.insert("message".to_owned(), json!(error.message));
    inner.insert("param".to_owned(), json!(error.param));
    // The refusal of the beta is the one error that was seen without it.
    if error.code != Some("beta_api_shape_disabled") {
        inner.insert("event_id".to_owned(), json!(cause));
    }
    let mut event = Map::new();
    event.insert("type".to_owned(), json!("error"));
    event.insert("event_id".to_owned(), json!(ids.short("event_")));
    event.insert("error".to_owned(), Value::Object(inner));
    event
}
