//! What a client may say: every event held to its profile.
//!
//! Audio passes as it is (`scan`). Every other event is parsed strictly, judged
//! by one table, and sent on as it was judged, never as it was written: what
//! OpenAI's parser sees is what the guard saw.

mod item;
mod members;
mod table;

use hallpass_core::profile::Profile;
use serde_json::{Map, Value, json};

pub use table::{Row, TABLE, Treatment};

use crate::strict;

/// Longest event id given back in an error.
const LONGEST_EVENT_ID: usize = 512;

/// What becomes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on in this form; the members that were set back are named.
    Forward {
        /// The event.
        event: String,
        /// Members that were taken out because the profile has them.
        set_back: Vec<String>,
    },
    /// It stays here; the client gets this error.
    Refuse {
        /// The error event.
        error: String,
        /// Why, for the trail.
        why: &'static str,
    },
}

/// Holds a client's events to a profile.
#[derive(Debug, Clone)]
pub struct Guard {
    profile: std::sync::Arc<Profile>,
}

impl Guard {
    /// A guard for a profile's sessions.
    #[must_use]
    pub const fn new(profile: std::sync::Arc<Profile>) -> Self {
        Self { profile }
    }

    /// Whether audio passes.
    pub(crate) fn lets_audio_pass(&self) -> bool {
        self.allows("input_audio_buffer.append")
    }

    /// Judges one whole event.
    #[must_use]
    pub fn judge(&self, bytes: &[u8]) -> Verdict {
        let mut event = match strict::object(bytes) {
            Ok(event) => event,
            Err(error) => {
                let message = format!("The event can't be read: {error}.");
                return refuse(&message, "invalid_json", None, None, "unreadable");
            }
        };
        let id = event_id(&event);
        let Some(Value::String(kind)) = event.get("type").cloned() else {
            let text = "The event has no type.";
            return refuse(
                text,
                "invalid_event",
                Some("type"),
                id.as_deref(),
                "no_type",
            );
        };
        if event
            .keys()
            .any(|name| name != "type" && name.eq_ignore_ascii_case("type"))
        {
            let text = "The event names its type twice.";
            return refuse(
                text,
                "invalid_event",
                Some("type"),
                id.as_deref(),
                "two_types",
            );
        }
        let row = TABLE.iter().find(|row| row.kind == kind);
        let Some(row) = row.filter(|row| row.treatment != Treatment::Refused) else {
            let text = "This event is not supported here.";
            return refuse(
                text,
                "invalid_value",
                Some("type"),
                id.as_deref(),
                "unknown_event",
            );
        };
        if !self.allows(row.kind) {
            let text = "The profile of this session does not allow this event.";
            return refuse(
                text,
                "event_not_allowed",
                Some("type"),
                id.as_deref(),
                "event_not_allowed",
            );
        }
        let held = match row.treatment {
            Treatment::Session => Ok(members::hold(&mut event, "session", &self.profile)),
            Treatment::Response => self.hold_response(&mut event),
            Treatment::Item => self.hold_item(&event),
            _ => Ok(Vec::new()),
        };
        match held {
            Ok(set_back) => Verdict::Forward {
                event: Value::Object(event).to_string(),
                set_back,
            },
            Err(param) => {
                let text = "The profile of this session does not allow items of this role.";
                refuse(
                    text,
                    "item_not_allowed",
                    Some(param),
                    id.as_deref(),
                    "system_item",
                )
            }
        }
    }

    fn hold_response(&self, event: &mut Map<String, Value>) -> Result<Vec<String>, &'static str> {
        let input = event
            .get("response")
            .and_then(|response| response.get("input"));
        let spoken = input.into_iter().filter_map(Value::as_array).flatten();
        for item in spoken {
            self.may_add(item, "response.input")?;
        }
        Ok(members::hold(event, "response", &self.profile))
    }

    fn hold_item(&self, event: &Map<String, Value>) -> Result<Vec<String>, &'static str> {
        let item = event.get("item").unwrap_or(&Value::Null);
        self.may_add(item, "item.role").map(|()| Vec::new())
    }

    fn may_add(&self, item: &Value, param: &'static str) -> Result<(), &'static str> {
        match self.profile.live.system_items || item::is_a_users(item) {
            true => Ok(()),
            false => Err(param),
        }
    }

    fn allows(&self, kind: &str) -> bool {
        let events = self.profile.live.events.as_ref();
        events.is_none_or(|events| events.iter().any(|event| event == kind))
    }
}

fn event_id(event: &Map<String, Value>) -> Option<String> {
    let id = event.get("event_id")?.as_str()?;
    (id.len() <= LONGEST_EVENT_ID).then(|| id.to_owned())
}

/// The refusal of an event that was never read.
pub(crate) fn refuse_unread(message: &str, code: &str, why: &'static str) -> Verdict {
    refuse(message, code, None, None, why)
}

fn refuse(
    message: &str,
    code: &str,
    param: Option<&str>,
    event_id: Option<&str>,
    why: &'static str,
) -> Verdict {
    Verdict::Refuse {
        error: error_event(message, code, param, event_id),
        why,
    }
}

/// An `error` as OpenAI sends one; it is not fatal unless a close follows.
#[must_use]
pub fn error_event(
    message: &str,
    code: &str,
    param: Option<&str>,
    event_id: Option<&str>,
) -> String {
    json!({
        "type": "error",
        "event_id": "event_hallpass",
        "error": {
            "type": "invalid_request_error",
            "code": code,
            "message": message,
            "param": param,
            "event_id": event_id,
        },
    })
    .to_string()
}

#[cfg(test)]
pub(crate) mod tests;
