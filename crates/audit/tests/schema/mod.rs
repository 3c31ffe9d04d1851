//! Holds a record against the part of OCSF 1.9 that Hallpass emits.
//!
//! `ocsf-1.9.json` lists, for each class and object in use, the members there
//! are, which of them are required, and what each holds.

use serde_json::{Map, Value};

const SCHEMA: &str = include_str!("ocsf-1.9.json");

/// Panics where a record is not an event of the schema.
pub(crate) fn check(record: &Value) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let class = record["class_uid"].to_string();
    let event = &schema["classes"][&class];
    assert!(event.is_object(), "no class {class}");
    let mut members = schema["base"].as_object().unwrap().clone();
    members.extend(event["members"].as_object().unwrap().clone());
    let activities = event["activities"].as_array().unwrap();
    assert!(activities.contains(&record["activity_id"]), "{record}");
    object(&schema, &members, record, &format!("class {class}"));
    let uids = ["category_uid", "class_uid", "activity_id", "type_uid"];
    let [category, class, activity, kind] = uids.map(|name| record[name].as_u64().unwrap());
    assert_eq!((class / 1000, class * 100 + activity), (category, kind));
}

fn object(schema: &Value, members: &Map<String, Value>, value: &Value, place: &str) {
    let value = value
        .as_object()
        .unwrap_or_else(|| panic!("{place}: no object"));
    for (name, kind) in members {
        let required = kind.as_str().unwrap().ends_with('!');
        assert!(
            !required || value.contains_key(name),
            "{place}.{name} is missing"
        );
    }
    for (name, member) in value {
        let Some(kind) = members.get(name) else {
            panic!("{place}.{name} is not in the schema");
        };
        holds(
            schema,
            kind.as_str().unwrap(),
            member,
            &format!("{place}.{name}"),
        );
    }
}

fn holds(schema: &Value, kind: &str, value: &Value, place: &str) {
    let kind = kind.trim_end_matches('!');
    if let Some(item) = kind.strip_suffix("[]") {
        let items = value
            .as_array()
            .unwrap_or_else(|| panic!("{place}: no list"));
        return items
            .iter()
            .for_each(|value| holds(schema, item, value, place));
    }
    match kind {
        "text" => assert!(value.is_string(), "{place}: no text"),
        "number" => assert!(value.is_u64() || value.is_i64(), "{place}: no whole number"),
        "free" => assert!(value.is_object(), "{place}: no object"),
        name => {
            let members = schema["objects"][name].as_object();
            let members = members.unwrap_or_else(|| panic!("no object {name} in the extract"));
            object(schema, members, value, place);
        }
    }
}
