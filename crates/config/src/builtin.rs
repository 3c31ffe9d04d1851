//! The profile and roles that exist where the operator defines none.

use serde_json::{Value as Json, json};

use crate::document::{Entry, Node, Value};
use crate::problem::Origin;

const INSTRUCTIONS: &str = "You are a friendly, professional interviewer. Speak clearly and at a calm pace. \
Begin by greeting the candidate and explaining how the interview will go. Ask one question at a time, listen \
to the whole answer, and ask a follow-up question where it helps. Do not give away what a good answer would \
be, and do not judge answers aloud. If you did not understand something, say so and ask the candidate to \
repeat it. End by thanking the candidate and telling them what happens next.";

/// Adds what the lower layers leave out, before variables and flags are laid over it.
pub(crate) fn add_missing(root: &mut Node) {
    add(root, "upstream", json!([{}]));
    add(root, "profiles", profiles());
    add(root, "roles", roles());
}

fn add(root: &mut Node, section: &str, json: Json) {
    let Some(members) = root.members_mut() else {
        return;
    };
    let is_absent = match members.get(section).map(|entry| &entry.node.value) {
        None => true,
        Some(Value::Table(members)) => members.is_empty(),
        Some(Value::List(items)) => items.is_empty(),
        Some(_) => false,
    };
    if is_absent {
        let node = Node::from_json(json, &Origin::Default);
        members.insert(section.to_owned(), Entry::new(node));
    }
}

fn profiles() -> Json {
    json!({
        "interview": {
            "mode": "direct",
            "modes": ["direct", "relay", "call"],
            "expires_after_seconds": 60,
            "max_session_seconds": 1800,
            "overrides": ["audio.output.voice"],
            "session": {
                "type": "realtime",
                "model": "gpt-realtime-2.1",
                "instructions": INSTRUCTIONS,
                "audio": { "output": { "voice": "marin" } },
            },
        },
    })
}

fn roles() -> Json {
    json!({
        "candidate": {
            "profiles": ["interview"],
            "permissions": ["grants:create", "grants:read:own", "grants:revoke:own"],
            "limits": { "per_minute": 5, "per_hour": 60, "concurrent_sessions": 1 },
            "budget": { "usd_per_day": 5.0 },
        },
        "service": {
            "profiles": ["*"],
            "permissions": ["grants:*", "interviews:*"],
        },
    })
}
