//! What of a call's session differs from its profile, and how it is set back.
//!
//! A browser may change nearly all of its session over the data channel, where
//! nobody stands in between. Members are compared, not events: a change to
//! what the profile has anyway is none.

use hallpass_core::profile::{Profile, SessionConfig};
use serde_json::{Map, Value, json};

/// Members whose content OpenAI does not show again, or writes its own way.
const NOT_SHOWN: [&str; 4] = ["authorization", "headers", "type", "model"];

/// Members a session has where its profile says nothing of them.
fn defaults() -> [(&'static [&'static str], Value); 6] {
    [
        (&["tools"], json!([])),
        (&["tool_choice"], json!("auto")),
        (&["prompt"], Value::Null),
        (&["output_modalities"], json!(["audio"])),
        (&["max_output_tokens"], json!("inf")),
        (&["audio", "input", "transcription"], Value::Null),
    ]
}

/// What a call's session has to be.
#[derive(Debug, Clone)]
pub struct Pinned {
    kind: &'static str,
    members: Vec<(Vec<Box<str>>, Value)>,
    holds_instructions: bool,
}

/// Members that differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Their names, dotted.
    pub members: Vec<String>,
    /// The session that sets them back.
    pub set_back: Map<String, Value>,
}

impl Pinned {
    /// The members of a session that callers may not change: those it names,
    /// and those it leaves at what OpenAI has.
    #[must_use]
    pub fn new(profile: &Profile, session: &SessionConfig) -> Self {
        let mut members = Vec::new();
        let named = session.members().iter();
        for (name, value) in named.filter(|(name, _)| !skipped(name)) {
            leaves(&mut vec![name.as_str().into()], value, &mut members);
        }
        let realtime = session
            .members()
            .get("type")
            .is_some_and(|it| it == "realtime");
        for (place, value) in defaults().into_iter().filter(|_| realtime) {
            let place: Vec<Box<str>> = place.iter().map(|name| (*name).into()).collect();
            let said = members
                .iter()
                .any(|(named, _)| named.starts_with(&place) || place.starts_with(named));
            if !said {
                members.push((place, value));
            }
        }
        members.retain(|(place, _)| {
            let place: Vec<&str> = place.iter().map(|name| &**name).collect();
            !profile.overrides.iter().any(|path| path.covers(&place))
        });
        Self {
            kind: session.kind().into(),
            holds_instructions: !realtime || session.members().contains_key("instructions"),
            members,
        }
    }

    /// Holds the instructions to what they are, where the profile names none:
    /// what OpenAI has then is not known before it is seen.
    pub fn hold_instructions(&mut self, session: &Map<String, Value>) {
        if let (false, Some(seen)) = (self.holds_instructions, session.get("instructions")) {
            self.holds_instructions = true;
            self.members
                .push((vec!["instructions".into()], seen.clone()));
        }
    }

    /// Compares a session that OpenAI showed; none where nothing differs.
    #[must_use]
    pub fn compare(&self, session: &Map<String, Value>) -> Option<Drift> {
        let mut members = Vec::new();
        let mut set_back = Map::new();
        for (place, wanted) in &self.members {
            if same(wanted, find(session, place).unwrap_or(&Value::Null)) {
                continue;
            }
            members.push(place.join("."));
            put(&mut set_back, place, wanted.clone());
        }
        if members.is_empty() {
            return None;
        }
        set_back.insert("type".to_owned(), self.kind.into());
        Some(Drift { members, set_back })
    }
}

fn skipped(name: &str) -> bool {
    NOT_SHOWN.contains(&name)
}

/// Objects under `audio` are merged by OpenAI, so each of their members counts
/// by itself; every other member is one whole.
fn leaves(place: &mut Vec<Box<str>>, value: &Value, found: &mut Vec<(Vec<Box<str>>, Value)>) {
    let merged = match place.as_slice() {
        [only] => &**only == "audio",
        [first, second] => &**first == "audio" && matches!(&**second, "input" | "output"),
        _ => false,
    };
    match value {
        Value::Object(members) if merged => {
            for (name, inner) in members {
                place.push(name.as_str().into());
                leaves(place, inner, found);
                place.pop();
            }
        }
        whole => found.push((place.clone(), whole.clone())),
    }
}

/// Whether a value is what is wanted; OpenAI may add members with its defaults.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().all(|(name, value)| {
            NOT_SHOWN[..2].contains(&name.as_str())
                || same(value, found.get(name).unwrap_or(&Value::Null))
        }),
        (Value::Array(wanted), Value::Array(found)) => {
            let mut pairs = wanted.iter().zip(found);
            wanted.len() == found.len() && pairs.all(|(wanted, found)| same(wanted, found))
        }
        (Value::Number(wanted), Value::Number(found)) => wanted.as_f64() == found.as_f64(),
        _ => wanted == found,
    }
}

fn find<'a>(session: &'a Map<String, Value>, place: &[Box<str>]) -> Option<&'a Value> {
    let (first, rest) = place.split_first()?;
    let first = session.get(&**first)?;
    rest.iter()
        .try_fold(first, |value, name| value.get(&**name))
}

fn put(session: &mut Map<String, Value>, place: &[Box<str>], value: Value) {
    let Some((first, rest)) = place.split_first() else {
        return;
    };
    if rest.is_empty() {
        session.insert((**first).to_owned(), value);
        return;
    }
    let inner = session.entry(&**first).or_insert_with(|| json!({}));
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests;
