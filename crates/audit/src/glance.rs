//! Parts of a line, found without reading the rest of it.

use std::{borrow::Cow, sync::LazyLock};

use memchr::memmem::Finder;
use serde::Deserialize;

/// Something that is looked for in each line, prepared once.
pub(crate) type Place = LazyLock<Finder<'static>>;

/// Where a record's own facts begin, and what stands before them. Nothing else
/// of a record can look so: within a text the quotes are escaped.
pub(crate) static OURS: Place = Place::new(|| Finder::new(br#""unmapped":{"hallpass":"#));
/// Before a record's own facts: when it happened.
pub(crate) static TIME: Place = Place::new(|| Finder::new(br#""time":"#));

/// What stands before a place, and what behind it.
pub(crate) fn split<'t>(text: &'t [u8], place: &Place) -> Option<(&'t [u8], &'t [u8])> {
    let at = place.find(text)?;
    Some((&text[..at], &text[at + place.needle().len()..]))
}

/// The JSON value a text begins with.
pub(crate) fn value<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Option<T> {
    T::deserialize(&mut serde_json::Deserializer::from_slice(text)).ok()
}

/// A text that is borrowed where it can be; of an optional `Cow` itself serde
/// makes an owned one.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl<'a> Text<'a> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_inner(self) -> Cow<'a, str> {
        self.0
    }
}
