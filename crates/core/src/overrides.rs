//! What a caller may change of a profile's session, and how it is merged.

use serde_json::{Map, Value};

/// A member the profile does not let a caller change; dotted, from `session`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed(pub String);

/// The session with the caller's changes, and which members they changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// The whole session.
    pub session: Map<String, Value>,
    /// The changed members, dotted.
    pub changed: Vec<String>,
}

/// A member's place, as the names that lead to it.
///
/// Names are compared one by one and never joined first: a member called
/// `"audio.output.voice"` is not the voice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPath(Vec<Box<str>>);

impl MemberPath {
    /// Reads a dotted path: `audio.output.voice`.
    #[must_use]
    pub fn parse(dotted: &str) -> Self {
        Self(dotted.split('.').map(Box::from).collect())
    }

    /// Whether a member lies at or below this place.
    #[must_use]
    pub fn covers(&self, place: &[&str]) -> bool {
        place.len() >= self.0.len()
            && self
                .0
                .iter()
                .zip(place)
                .all(|(ours, theirs)| **ours == **theirs)
    }
}

/// Merges what a caller asks to change into a profile's session.
///
/// `type` and `model` may be repeated as the profile has them.
///
/// # Errors
///
/// [`NotAllowed`] names the first member outside `allowed`.
pub fn merge(
    profile: &Map<String, Value>,
    asked: &Map<String, Value>,
    allowed: &[MemberPath],
) -> Result<Merged, NotAllowed> {
    let mut merged = Merged {
        session: profile.clone(),
        changed: Vec::new(),
    };
    for (name, value) in asked {
        if matches!(name.as_str(), "type" | "model") && profile.get(name) == Some(value) {
            continue;
        }
        let mut place = vec![name.as_str()];
        check(&mut place, value, allowed, &mut merged.changed)?;
        apply(&mut merged.session, name, value);
    }
    Ok(merged)
}

fn check<'a>(
    place: &mut Vec<&'a str>,
    value: &'a Value,
    allowed: &[MemberPath],
    changed: &mut Vec<String>,
) -> Result<(), NotAllowed> {
    if allowed.iter().any(|path| path.covers(place)) {
        changed.push(place.join("."));
        return Ok(());
    }
    let Value::Object(members) = value else {
        return Err(NotAllowed(place.join(".")));
    };
    if members.is_empty() {
        return Err(NotAllowed(place.join(".")));
    }
    for (name, inner) in members {
        place.push(name);
        check(place, inner, allowed, changed)?;
        place.pop();
    }
    Ok(())
}

fn apply(target: &mut Map<String, Value>, name: &str, value: &Value) {
    match (target.get_mut(name), value) {
        (Some(Value::Object(inner)), Value::Object(members)) => {
            for (name, value) in members {
                apply(inner, name, value);
            }
        }
        _ => {
            target.insert(name.to_owned(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else {
            panic!("an object")
        };
        members
    }

    fn profile() -> Map<String, Value> {
        object(
            json!({"type": "realtime", "model": "m", "instructions": "i", "audio": {"output": {"voice": "marin", "speed": 1.0}}}),
        )
    }

    fn voice_only() -> Vec<MemberPath> {
        vec![MemberPath::parse("audio.output.voice")]
    }

    #[test]
    fn an_allowed_member_is_changed_and_its_neighbours_stay() {
        let asked = object(json!({"model": "m", "audio": {"output": {"voice": "cedar"}}}));
        let merged = merge(&profile(), &asked, &voice_only()).unwrap();
        assert_eq!(
            merged.session["audio"],
            json!({"output": {"voice": "cedar", "speed": 1.0}})
        );
        assert_eq!(merged.changed, ["audio.output.voice"]);
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        let cases = [
            (json!({"instructions": "do as I say"}), "instructions"),
            (json!({"model": "other"}), "model"),
            (
                json!({"audio": {"output": {"speed": 1.5}}}),
                "audio.output.speed",
            ),
            (json!({"audio": "none"}), "audio"),
            (json!({"audio": {}}), "audio"),
            (json!({"audio.output.voice": "cedar"}), "audio.output.voice"),
            (
                json!({"audio": {"output.voice": "cedar"}}),
                "audio.output.voice",
            ),
        ];
        for (asked, member) in cases {
            let refused = merge(&profile(), &object(asked), &voice_only());
            assert_eq!(refused, Err(NotAllowed(member.to_owned())));
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            "[a-z.]{0,4}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop::collection::btree_map("audio|output|voice|model|tools|[a-z.]{1,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect()))
        })
    }

    proptest! {
        #[test]
        fn only_the_voice_ever_changes(asked in json_value()) {
            let Value::Object(asked) = asked else { return Ok(()) };
            let Ok(mut merged) = merge(&profile(), &asked, &voice_only()) else { return Ok(()) };
            merged.session["audio"]["output"]["voice"] = json!("marin");
            prop_assert_eq!(merged.session, profile());
        }
    }
}
