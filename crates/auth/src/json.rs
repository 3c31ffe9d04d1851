//! JSON read once and strictly, so that no other reader sees another value.
//!
//! Beyond what the JSON parser itself refuses (bytes that are not UTF-8, a byte
//! order mark, lone surrogates, trailing text), a member that appears twice at
//! any depth and nesting beyond [`MAX_DEPTH`] are errors.

use std::{borrow::Cow, cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::Reason;

/// Deepest nesting of objects and arrays.
const MAX_DEPTH: u8 = 32;
/// Up to here comparing each member with each is faster than sorting.
const FEW_MEMBERS: usize = 12;

/// A JSON value; texts without escapes are borrowed.
#[derive(Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool,
    Number(f64),
    Text(Cow<'a, str>),
    Array(Vec<Self>),
    Object(Object<'a>),
}

/// An object whose members all have different names.
#[derive(Debug, PartialEq)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    /// Reads bytes that hold one object and nothing else.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Reason> {
        match Json::read(bytes)? {
            Json::Object(object) => Ok(object),
            _ => Err(Reason::JsonNotAnObject),
        }
    }

    /// The member of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Json<'a>> {
        let mut members = self.0.iter();
        members.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The member of this name, taken out.
    pub(crate) fn take(self, name: &str) -> Option<Json<'a>> {
        let mut members = self.0.into_iter();
        members.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The names of all members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// The member of this exact name, or else the one at this dotted path.
    ///
    /// A name with dots, such as an address, is thus found as it stands.
    pub(crate) fn at(&self, path: &str) -> Option<&Json<'a>> {
        if let Some(value) = self.get(path) {
            return Some(value);
        }
        let (first, rest) = path.split_once('.')?;
        match self.get(first)? {
            Json::Object(inner) => inner.at(rest),
            _ => None,
        }
    }

    fn has_duplicate(&self) -> bool {
        let members = &self.0;
        if members.len() <= FEW_MEMBERS {
            return (1..members.len())
                .any(|at| members[..at].iter().any(|(name, _)| *name == members[at].0));
        }
        let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }
}

impl<'a> Json<'a> {
    /// Reads bytes that hold one value and nothing else.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Reason> {
        let fault = Cell::new(Reason::JsonInvalid);
        let reader = Reader {
            depth: 0,
            fault: &fault,
        };
        let mut source = serde_json::Deserializer::from_slice(bytes);
        let value = reader.deserialize(&mut source).map_err(|_| fault.get())?;
        source.end().map_err(|_| Reason::JsonInvalid)?;
        Ok(value)
    }

    /// The text, where it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of an array that holds nothing else.
    pub(crate) fn as_texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Array(items) => items.iter().map(Self::as_text).collect(),
            _ => None,
        }
    }
}

/// Reads one value; the exact fault is left beside serde's own error.
#[derive(Clone, Copy)]
struct Reader<'c> {
    depth: u8,
    fault: &'c Cell<Reason>,
}

impl Reader<'_> {
    fn refuse<E: serde::de::Error>(self, reason: Reason) -> E {
        self.fault.set(reason);
        E::custom(reason)
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(Reason::JsonTooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Json<'de>, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool)
    }

    // Times beyond 2^53 are refused later, so that nothing is lost here.
    #[allow(clippy::cast_precision_loss, reason = "times above 2^53 are refused")]
    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "times above 2^53 are refused")]
    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut object = Object(Vec::with_capacity(8));
        while let Some(name) = members.next_key_seed(Name)? {
            object.0.push((name, members.next_value_seed(inner)?));
        }
        if object.has_duplicate() {
            return Err(self.refuse(Reason::JsonDuplicateMember));
        }
        Ok(Json::Object(object))
    }
}

/// Reads a member's name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: impl AsRef<[u8]>) -> Reason {
        Json::read(text.as_ref()).unwrap_err()
    }

    #[test]
    fn a_member_may_appear_once() {
        let many = (0..40).map(|n| format!("\"m{n}\":0")).collect::<Vec<_>>();
        let twice = format!("{{{},\"m7\":1}}", many.join(","));
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":1}"#,
            r#"{"x":{"b":[{"c":1,"c":2}]}}"#,
            &twice,
        ] {
            assert_eq!(fault(text), Reason::JsonDuplicateMember, "{text}");
        }
        assert!(Json::read(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
        assert!(Json::read(br#"[{"a":1},{"a":1}]"#).is_ok());
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(Json::read(nested(32).as_bytes()).is_ok());
        assert_eq!(fault(nested(33)), Reason::JsonTooDeep);
        assert_eq!(fault("[".repeat(100_000)), Reason::JsonTooDeep);
    }

    #[test]
    fn what_readers_disagree_about_is_refused() {
        for text in [
            &b"{}x"[..],
            b"{} {}",
            b"\xef\xbb\xbf{}",
            br#"{"a":"\ud800"}"#,
            br#"{"a":"\udc00\ud800"}"#,
            b"{\"a\":\"\xff\"}",
            b"{\"a\":1e999}",
            b"{\"a\":NaN}",
            b"{\"a\":01}",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"",
        ] {
            assert_eq!(fault(text), Reason::JsonInvalid, "{text:?}");
        }
    }

    #[test]
    fn a_path_prefers_the_exact_name() {
        let text = br#"{"a.b":"exact","a":{"b":"inner","c":{"d":"deep"}}}"#;
        let object = Object::read(text).unwrap();
        assert_eq!(object.at("a.b").unwrap().as_text(), Some("exact"));
        assert_eq!(object.at("a.c.d").unwrap().as_text(), Some("deep"));
        assert_eq!(object.at("a.x"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Json::read(&bytes);
        }

        #[test]
        fn nothing_is_accepted_that_serde_json_refuses(text in r#"[\[\]{}:,"a\\0-9u. eE+-]{0,40}"#) {
            if Json::read(text.as_bytes()).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
    }
}
