//! JSON in which no member appears twice.
//!
//! Readers disagree about which of two equal members counts, so a proxy or a
//! log could hold another request than the one that is served.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a text is not taken.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// It is no JSON.
    Syntax(serde_json::Error),
    /// A member of this name appears twice in one object.
    Twice(String),
}

/// Reads one value and nothing after it.
pub(crate) fn read(text: &[u8]) -> Result<Value, Flaw> {
    let twice = RefCell::new(None);
    let mut source = serde_json::Deserializer::from_slice(text);
    let read = Once { twice: &twice }.deserialize(&mut source);
    let read = read.and_then(|value| source.end().map(|()| value));
    read.map_err(|error| match twice.take() {
        Some(name) => Flaw::Twice(name),
        None => Flaw::Syntax(error),
    })
}

/// Reads a value; the name of a second member is left beside serde's error.
#[derive(Clone, Copy)]
struct Once<'c> {
    twice: &'c RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Once<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                *self.twice.borrow_mut() = Some(name);
                return Err(A::Error::custom("a member appears twice"));
            }
            object.insert(name, members.next_value_seed(self)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twice(text: &str) -> Option<String> {
        match read(text.as_bytes()) {
            Err(Flaw::Twice(name)) => Some(name),
            _ => None,
        }
    }

    #[test]
    fn a_member_that_appears_twice_is_named_at_any_depth() {
        for text in [
            r#"{"mode":"direct","mode":"relay"}"#,
            r#"{"mode":1,"\u006dode":1}"#,
            r#"{"a":[{"b":{"mode":1,"c":2,"mode":1}}]}"#,
        ] {
            assert_eq!(twice(text).as_deref(), Some("mode"), "{text}");
        }
        assert_eq!(twice(r#"[{"a":1},{"a":1}]"#), None);
    }

    #[test]
    fn what_is_taken_is_what_any_reader_reads() {
        for text in [
            r#"{"a":[1,-2,2.5,1e300,18446744073709551615,null,true,"\u00e9\n"],"b":{}}"#,
            " 7 ",
            "\"\"",
        ] {
            let plain: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(text.as_bytes()).unwrap(), plain);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let deep = "[".repeat(500);
        for text in ["", "{", "{}{}", "{\"a\":1,}", "\u{feff}{}", "1e999", &deep] {
            assert!(
                matches!(read(text.as_bytes()), Err(Flaw::Syntax(_))),
                "{text}"
            );
        }
    }
}
