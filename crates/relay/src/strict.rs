//! JSON with one reading: what every parser makes the same of.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Deepest nesting taken.
const MAX_DEPTH: u8 = 32;

/// Why a text has no single reading.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotStrict {
    /// It is no UTF-8, or begins with a byte order mark.
    #[error("it is no UTF-8 text, or begins with a byte order mark")]
    Text,
    /// It is no JSON, repeats a member, or is nested too deeply.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It is no object.
    #[error("it is no object")]
    NoObject,
}

/// Reads an object: no member twice at any depth, no byte order mark, nothing
/// after it, valid UTF-8 without lone surrogates, at most 32 levels.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, NotStrict> {
    let text = str::from_utf8(bytes).map_err(|_| NotStrict::Text)?;
    if text.starts_with('\u{feff}') {
        return Err(NotStrict::Text);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Once(MAX_DEPTH).deserialize(&mut reader)?;
    reader.end()?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(NotStrict::NoObject),
    }
}

/// A value whose objects name each member once; this many levels at most.
struct Once(u8);

impl Once {
    fn deeper<E: de::Error>(&self) -> Result<Self, E> {
        let left = self.0.checked_sub(1);
        left.map(Self)
            .ok_or_else(|| E::custom("it is nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Once {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.deeper()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(de::Error::custom("it names a member twice"));
            }
            let value = map.next_value_seed(self.deeper()?)?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_has_two_readings_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
        let refused = [
            r#"{"type":"a","type":"b"}"#,
            r#"{"type":"a","\u0074ype":"b"}"#,
            r#"{"session":{"model":"a","model":"b"}}"#,
            "\u{feff}{}",
            r#"{} {}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1,}"#,
            "[]",
            "",
            &deep,
        ];
        for text in refused {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
        assert!(object(br#"{"type":"a","session":{"type":"realtime"}}"#).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&bytes);
        }

        #[test]
        fn what_is_read_is_what_serde_reads(text in "[{}\":,a-z\\[\\]\\\\0-9 ]{0,60}") {
            if let Ok(members) = object(text.as_bytes()) {
                let read: Value = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(Value::Object(members), read);
            }
        }
    }
}
