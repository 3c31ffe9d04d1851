//! What a server event of a call means to whoever watches it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::meter::Meter;

/// What an event means.
#[derive(Debug, PartialEq)]
pub(super) enum Sight {
    /// The session as it is now.
    Session(Map<String, Value>),
    /// Something was used.
    Usage,
    /// An item that speaks as system or developer, by its id.
    Foreign(String),
    /// OpenAI refused our event of this id.
    Refused(String),
    /// The session is at OpenAI's own limit.
    Expired,
    /// Nothing that anyone said.
    Quiet,
    /// Something else.
    Other,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    session: Option<Value>,
    item: Option<Item>,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Item {
    id: Option<String>,
    role: Option<String>,
}

#[derive(Deserialize)]
struct Error {
    code: Option<String>,
    event_id: Option<String>,
}

/// Reads an event; one that can't be read means nothing.
pub(super) fn sight_of(event: &str, system_items: bool) -> Sight {
    let Ok(event) = serde_json::from_str::<Event>(event) else {
        return Sight::Other;
    };
    match event.kind.as_str() {
        "session.created" | "session.updated" => match event.session {
            Some(Value::Object(session)) => Sight::Session(session),
            _ => Sight::Quiet,
        },
        kind if Meter::reads(kind) => Sight::Usage,
        "conversation.item.added" | "conversation.item.created" if !system_items => {
            let item = event
                .item
                .filter(|item| speaks_for_others(item.role.as_deref()));
            item.and_then(|item| item.id)
                .map_or(Sight::Other, Sight::Foreign)
        }
        "error" => match event.error {
            Some(error) if error.code.as_deref() == Some("session_expired") => Sight::Expired,
            Some(Error {
                event_id: Some(id), ..
            }) => Sight::Refused(id),
            _ => Sight::Quiet,
        },
        "rate_limits.updated" => Sight::Quiet,
        _ => Sight::Other,
    }
}

fn speaks_for_others(role: Option<&str>) -> bool {
    matches!(role, Some("system" | "developer"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sight(event: &Value) -> Sight {
        sight_of(&event.to_string(), false)
    }

    #[test]
    fn events_are_told_apart() {
        let item = |role: &str| json!({"type": "conversation.item.added", "item": {"id": "item_1", "role": role}});
        assert_eq!(sight(&item("system")), Sight::Foreign("item_1".to_owned()));
        assert_eq!(sight(&item("user")), Sight::Other);
        assert_eq!(sight_of(&item("system").to_string(), true), Sight::Other);
        assert_eq!(sight(&json!({"type": "response.done"})), Sight::Usage);
        assert_eq!(sight(&json!({"type": "rate_limits.updated"})), Sight::Quiet);
        let refused = json!({"type": "error", "error": {"code": "x", "event_id": "e"}});
        assert_eq!(sight(&refused), Sight::Refused("e".to_owned()));
        let expired = json!({"type": "error", "error": {"code": "session_expired"}});
        assert_eq!(sight(&expired), Sight::Expired);
        let updated = json!({"type": "session.updated", "session": {"a": 1}});
        assert!(matches!(sight(&updated), Sight::Session(_)));
    }

    #[test]
    fn what_is_no_event_means_nothing() {
        for text in [
            "",
            "[]",
            "{",
            "{\"type\":1}",
            "{\"type\":\"error\",\"error\":7}",
        ] {
            assert_eq!(sight_of(text, false), Sight::Other, "{text}");
        }
    }
}
