//! `session` and `response` held to what a profile lets callers change.

use hallpass_core::{overrides::MemberPath, profile::Profile};
use serde_json::{Map, Value};

/// Members of a response that say which one it is, not what it is like.
const OF_RESPONSES: [&str; 3] = ["conversation", "metadata", "input"];

/// Takes out of an event's member all that the profile does not let callers
/// change, and names it: OpenAI keeps what is not named, which is the profile's.
pub(super) fn hold(event: &mut Map<String, Value>, member: &str, profile: &Profile) -> Vec<String> {
    let mut gone = Vec::new();
    if let Some(value) = event.get_mut(member) {
        let kept = match value.take() {
            Value::Object(asked) => kept(asked, member, profile, &mut gone),
            // `null` and the like: OpenAI takes a missing one for none.
            _ => Map::new(),
        };
        *value = Value::Object(kept);
    }
    if member == "session" {
        let session = event
            .entry(member)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(session) = session {
            session.insert("type".to_owned(), profile.session.kind().to_string().into());
        }
    }
    gone
}

fn kept(
    asked: Map<String, Value>,
    member: &str,
    profile: &Profile,
    gone: &mut Vec<String>,
) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in asked {
        let own = member == "response" && OF_RESPONSES.contains(&name.as_str());
        if own {
            kept.insert(name, value);
            continue;
        }
        let mut place = vec![name.as_str()];
        let same = profile.session.members().get(&name) == Some(&value);
        let part = allowed(&mut place, value, &profile.overrides, gone, same);
        if let Some(part) = part {
            kept.insert(name, part);
        }
    }
    kept
}

/// The part of a value that callers may change; none where nothing is.
fn allowed(
    place: &mut Vec<&str>,
    value: Value,
    overrides: &[MemberPath],
    gone: &mut Vec<String>,
    same: bool,
) -> Option<Value> {
    if overrides.iter().any(|path| path.covers(place)) {
        return Some(value);
    }
    let Value::Object(members) = value else {
        if !same && place.as_slice() != ["type"] {
            gone.push(place.join("."));
        }
        return None;
    };
    let mut kept = Map::new();
    for (name, inner) in members {
        let mut place: Vec<&str> = place.clone();
        place.push(&name);
        if let Some(part) = allowed(&mut place, inner, overrides, gone, same) {
            drop(place);
            kept.insert(name, part);
        }
    }
    (!kept.is_empty()).then_some(Value::Object(kept))
}
