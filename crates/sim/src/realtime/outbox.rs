//! Events on their way to the client.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{error::ApiError, ids::Ids};

/// Collects the events one client event, or one step, gives rise to.
#[derive(Debug)]
pub(crate) struct Outbox {
    ids: Arc<Ids>,
    frames: Vec<String>,
    track: Option<Track>,
}

/// The sound of a call, which leaves on its own track and not in events.
#[derive(Debug, Default)]
struct Track {
    /// Sound to send, milliseconds.
    queued: u64,
    /// The response that is heard.
    response: Option<String>,
}

impl Outbox {
    pub(crate) fn new(ids: Arc<Ids>) -> Self {
        Self {
            ids,
            frames: Vec::new(),
            track: None,
        }
    }

    /// Sound leaves on a track from now on.
    pub(crate) fn use_track(&mut self) {
        self.track = Some(Track::default());
    }

    /// Plays sound of a response; false where sound is sent in events.
    pub(crate) fn play(&mut self, response: &str, milliseconds: u64) -> bool {
        let Some(track) = &mut self.track else {
            return false;
        };
        track.queued += milliseconds;
        if track.response.is_none() {
            track.response = Some(response.to_owned());
            let members = json!({"response_id": response});
            self.emit("output_audio_buffer.started", members);
        }
        true
    }

    /// The sound to send, milliseconds; none twice.
    pub(crate) fn take_sound(&mut self) -> u64 {
        let track = self.track.as_mut();
        track.map_or(0, |track| std::mem::take(&mut track.queued))
    }

    /// Whether a response is being heard.
    pub(crate) fn is_heard(&self) -> bool {
        let track = self.track.as_ref();
        track.is_some_and(|track| track.response.is_some())
    }

    /// Reports that nothing is heard any more: `stopped` or `cleared`.
    pub(crate) fn fall_silent(&mut self, kind: &str) {
        let heard = self.track.as_mut().and_then(|track| {
            track.queued = 0;
            track.response.take()
        });
        if let Some(response) = heard {
            self.emit(kind, json!({"response_id": response}));
        }
    }

    /// Whether this is a call.
    pub(crate) fn has_track(&self) -> bool {
        self.track.is_some()
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
