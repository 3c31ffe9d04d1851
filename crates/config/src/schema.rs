//! The JSON schema of the configuration, made from the structs.

use serde_json::{Map, Value};

use crate::section::Config;

/// The JSON schema (2020-12) of the configuration file, indented.
///
/// The text depends on the structs alone: members are in alphabetical order.
pub fn json_schema() -> String {
    format!("{:#}\n", schema())
}

/// The schema as a value, for checking a tree against it.
pub(crate) fn schema() -> Value {
    sorted(schemars::schema_for!(Config).to_value())
}

/// Whether `serde_json` keeps insertion order depends on other crates of a build.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name, sorted(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}
