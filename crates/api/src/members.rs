//! Reads the members of a JSON object one by one, naming each that is wrong.

use std::borrow::Cow;

use hallpass_core::{Timestamp, code::Code, refusal::Refusal};
use serde_json::{Map, Number, Value};

use crate::strict::{self, Flaw};

/// As many members most objects may have.
const USUAL: usize = 8;

/// The members of a request's object, taken one after another.
#[derive(Debug)]
pub struct Members {
    map: Map<String, Value>,
    /// Where the object stands: empty at the top, else ending in a dot.
    prefix: String,
    known: Vec<&'static str>,
}

impl Members {
    /// Reads a body; an empty one is an object without members.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when the body is not one JSON object, or a member of any
    /// object in it appears twice.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self::of(Map::new(), String::new()));
        }
        let value = strict::read(body).map_err(|flaw| refused(&flaw))?;
        let Value::Object(map) = value else {
            return Err(Refusal::new(
                Code::InvalidJson,
                "The body must be a JSON object: members in braces, or {} for none.",
            ));
        };
        Ok(Self::of(map, String::new()))
    }

    fn of(map: Map<String, Value>, prefix: String) -> Self {
        Self {
            map,
            prefix,
            known: Vec::with_capacity(USUAL),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.map.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn wrong(&self, name: &str, wanted: &str) -> Refusal {
        let member = format!("{}{name}", self.prefix);
        Refusal::new(
            Code::InvalidMember,
            format!("\"{member}\" must be {wanted}."),
        )
        .member(member)
    }

    /// A text member.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is there and no text.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "a string")),
        }
    }

    /// A text member read as something finer.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is there and can't be read; `wanted` says what it
    /// must be.
    pub fn parsed<T, E>(
        &mut self,
        name: &'static str,
        wanted: &str,
        read: impl FnOnce(String) -> Result<T, E>,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        read(text).map(Some).map_err(|_| self.wrong(name, wanted))
    }

    /// A whole number that is not negative.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is there and anything else.
    pub fn whole(&mut self, name: &'static str) -> Result<Option<u64>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| self.wrong(name, "a whole number that is not negative")),
        }
    }

    /// A number of any kind.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is there and no number.
    pub fn number(&mut self, name: &'static str) -> Result<Option<Number>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(_) => Err(self.wrong(name, "a whole number")),
        }
    }

    /// A list of texts, each read as something finer.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is there and no list, or one can't be read.
    pub fn list<T, E>(
        &mut self,
        name: &'static str,
        wanted: &str,
        read: impl Fn(String) -> Result<T, E>,
    ) -> Result<Vec<T>, Refusal> {
        let items = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(self.wrong(name, wanted)),
        };
        let read_one = |item| match item {
            Value::String(text) => read(text).map_err(|_| self.wrong(name, wanted)),
            _ => Err(self.wrong(name, wanted)),
        };
        items.into_iter().map(read_one).collect()
    }

    /// A time: Unix seconds, or RFC 3339 text.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is there and neither.
    pub fn time(&mut self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        let read = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(seconds)) => seconds
                .as_i64()
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
            Some(Value::String(text)) => text.parse().ok(),
            Some(_) => None,
        };
        let wanted = "a time: Unix seconds, or text such as 2026-11-22T21:00:00Z";
        read.map(Some).ok_or_else(|| self.wrong(name, wanted))
    }

    /// An object, to be read by its own members.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is there and no object.
    pub fn object(&mut self, name: &'static str) -> Result<Option<Self>, Refusal> {
        let map = self.map(name)?;
        Ok(map.map(|map| Self::of(map, format!("{}{name}.", self.prefix))))
    }

    /// An object, as it is.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when it is there and no object.
    pub fn map(&mut self, name: &'static str) -> Result<Option<Map<String, Value>>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    /// Refuses members nobody took.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] naming the first of them and those there are.
    pub fn finish(self) -> Result<(), Refusal> {
        let Some(name) = self.map.keys().next() else {
            return Ok(());
        };
        let member = format!(
            "{}{}",
            self.prefix,
            hallpass_core::request::clean(name, 100)
        );
        let known = match self.known.as_slice() {
            [] => Cow::Borrowed("it has none"),
            names => Cow::Owned(names.join(", ")),
        };
        let text =
            format!("\"{member}\" is not a member of this request. Its members are: {known}.");
        Err(Refusal::new(Code::UnknownMember, text).member(member))
    }
}

fn refused(flaw: &Flaw) -> Refusal {
    match flaw {
        Flaw::Syntax(error) => {
            let text = format!(
                "The body is not JSON: it breaks off or goes wrong at line {}, column {}.",
                error.line(),
                error.column()
            );
            Refusal::new(Code::InvalidJson, text)
        }
        Flaw::Twice(name) => {
            let name = hallpass_core::request::clean(name, 100);
            let text = format!("\"{name}\" appears twice in one object. Send it once.");
            Refusal::new(Code::InvalidMember, text).member(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Members {
        Members::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_wrong_member_is_named_with_its_place() {
        let mut outer = members(r#"{"expires_after": {"seconds": "60"}}"#);
        let mut inner = outer.object("expires_after").unwrap().unwrap();
        let refusal = inner.whole("seconds").unwrap_err();
        assert_eq!(refusal.member.as_deref(), Some("expires_after.seconds"));
    }

    #[test]
    fn an_unknown_member_is_named_with_those_there_are() {
        let mut outer = members(r#"{"profile": "interview", "ttl": 9}"#);
        outer.text("profile").unwrap();
        let refusal = outer.finish().unwrap_err();
        assert_eq!(refusal.code, Code::UnknownMember);
        assert_eq!(
            refusal.detail,
            "\"ttl\" is not a member of this request. Its members are: profile."
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for body in ["[]", "1", "{", "{\"a\":1}x", "\u{feff}{}", "nul"] {
            assert_eq!(
                Members::parse(body.as_bytes()).unwrap_err().code,
                Code::InvalidJson
            );
        }
        assert!(Members::parse(b"").unwrap().finish().is_ok());
    }

    #[test]
    fn a_member_sent_twice_is_refused_and_named() {
        let refusal = Members::parse(br#"{"mode":"direct","mode":"relay"}"#).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidMember);
        assert_eq!(
            refusal.detail,
            "\"mode\" appears twice in one object. Send it once."
        );
        assert_eq!(refusal.member.as_deref(), Some("mode"));
    }
}
