//! How secrets look in `Debug` and in the printed settings.

use secrecy::SecretString;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// What stands where a secret was.
pub(crate) const MASK: &str = "********";

/// Members of a tool whose values are credentials.
const CREDENTIALS: [&str; 2] = ["authorization", "headers"];

pub(crate) fn secret<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| MASK).serialize(serializer)
}

pub(crate) fn secrets<S: Serializer>(
    secrets: &[SecretString],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(|_| MASK))
}

/// A copy of a session without the credentials of its tools.
pub(crate) fn session(members: &Map<String, Value>) -> Value {
    let shown = members.iter().map(|(name, value)| {
        let value = if CREDENTIALS.contains(&name.as_str()) {
            Value::from(MASK)
        } else {
            value_without_credentials(value)
        };
        (name.clone(), value)
    });
    Value::Object(shown.collect())
}

fn value_without_credentials(value: &Value) -> Value {
    match value {
        Value::Object(members) => session(members),
        Value::Array(items) => items.iter().map(value_without_credentials).collect(),
        other => other.clone(),
    }
}
