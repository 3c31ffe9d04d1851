//! JSON objects written straight into a line.
//!
//! Each request writes two records of some forty members. Names are literals
//! that need no escaping and most texts are plain, so a member is copied, not
//! taken apart; that is a third of what a general serialiser costs here.

use std::{io::Write as _, net::IpAddr};

use hallpass_core::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

use crate::escape;

/// An object under way; dropping it does not close it, [`Object::end`] does.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Opens an object.
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    /// Closes it.
    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    #[inline]
    fn name(&mut self, name: &'static str) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A text.
    #[inline]
    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        push_text(self.out, value);
    }

    /// A word of ours, which needs no escaping.
    #[inline]
    pub(crate) fn word(&mut self, name: &'static str, value: &'static str) {
        debug_assert!(is_plain(value.as_bytes()), "{value}");
        self.name(name);
        push_plain(self.out, value);
    }

    /// A text that may be missing; then there is no member.
    #[inline]
    pub(crate) fn text_if(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A text that may be missing; then the member is null.
    #[inline]
    pub(crate) fn text_or_null(&mut self, name: &'static str, value: Option<&str>) {
        match value {
            Some(value) => self.text(name, value),
            None => {
                self.name(name);
                self.out.extend_from_slice(b"null");
            }
        }
    }

    /// A whole number.
    #[inline]
    pub(crate) fn number(&mut self, name: &'static str, value: impl itoa::Integer) {
        self.name(name);
        self.out
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A time in RFC 3339, with as many digits as it has or as `printer` says.
    pub(crate) fn time(&mut self, name: &'static str, time: Timestamp, printer: &DateTimePrinter) {
        self.name(name);
        self.out.push(b'"');
        // Printing into a vector can't fail.
        let _ = printer.print_timestamp(&time, &mut *self.out);
        self.out.push(b'"');
    }

    /// An IP address.
    pub(crate) fn address(&mut self, name: &'static str, address: IpAddr) {
        self.name(name);
        self.out.push(b'"');
        match address {
            IpAddr::V4(address) => push_octets(self.out, address.octets()),
            // Writing into a vector can't fail.
            IpAddr::V6(address) => drop(write!(self.out, "{address}")),
        }
        self.out.push(b'"');
    }

    /// A truth value.
    pub(crate) fn truth(&mut self, name: &'static str, value: bool) {
        self.name(name);
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// An object within.
    pub(crate) fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut inner = Object::begin(self.out);
        fill(&mut inner);
        inner.end();
    }

    /// An array of one object.
    pub(crate) fn only(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        self.out.push(b'[');
        let mut inner = Object::begin(self.out);
        fill(&mut inner);
        inner.end();
        self.out.push(b']');
    }

    /// An array of texts.
    pub(crate) fn texts<'t>(&mut self, name: &'static str, values: impl Iterator<Item = &'t str>) {
        self.name(name);
        self.out.push(b'[');
        for (index, value) in values.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            push_text(self.out, value);
        }
        self.out.push(b']');
    }

    /// An object within whose end is left open for whoever writes on.
    pub(crate) fn open(mut self, name: &'static str) -> Self {
        self.name(name);
        Self::begin(self.out)
    }
}

#[inline]
fn push_text(out: &mut Vec<u8>, text: &str) {
    if !is_plain(text.as_bytes()) {
        out.extend_from_slice(&escape::escaped(text));
        return;
    }
    push_plain(out, text);
}

#[inline]
fn push_plain(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Most addresses are of this kind, and `Display` takes ten times as long.
fn push_octets(out: &mut Vec<u8>, octets: [u8; 4]) {
    for (index, octet) in octets.into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
    }
}

/// Whether a text stands in JSON as it is.
///
/// Eight bytes are looked at at once; the last eight overlap those before.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk() else {
        return bytes.iter().all(|byte| stands(*byte));
    };
    let (blocks, _) = bytes.as_chunks();
    blocks.iter().chain([last]).all(|block| all_stand(*block))
}

/// Whether a byte stands in a JSON text as it is.
const fn stands(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// The same of eight bytes: each test sets the high bit of a byte it finds.
const fn all_stand(block: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES * limit as u64) & !word
    }
    let word = u64::from_ne_bytes(block);
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    let above = word | word.wrapping_add(ONES);
    (below(word, b' ') | quote | backslash | above) & HIGH == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn each_kind_of_member_reads_back() {
        let mut out = Vec::new();
        let mut object = Object::begin(&mut out);
        object.text("text", "a\"b\\c\u{2028}");
        object.text_if("absent", None);
        object.text_or_null("null", None);
        object.number("number", -7_i64);
        object.truth("truth", true);
        object.object("object", |inner| inner.number("one", 1_u64));
        object.object("empty", |_| {});
        object.only("only", |inner| inner.text("name", "x"));
        object.texts("texts", ["a", "b"].into_iter());
        object.address("v4", [10, 0, 20, 255].into());
        object.address("v6", [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into());
        let time = Timestamp::new(1_795_300_060, 120_000_000).unwrap();
        object.time("time", time, &DateTimePrinter::new());
        object.end();
        let read: Value = serde_json::from_slice(&out).unwrap();
        let expected = json!({
            "text": "a\"b\\c\u{2028}", "null": null, "number": -7, "truth": true, "object": {"one": 1},
            "empty": {}, "only": [{"name": "x"}], "texts": ["a", "b"],
            "v4": "10.0.20.255", "v6": "2001:db8::1", "time": time.to_string(),
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn eight_bytes_stand_where_each_does() {
        for byte in 0..=u8::MAX {
            assert_eq!(all_stand([byte; 8]), stands(byte), "{byte}");
            let mut block = *b"a plain ";
            block[3] = byte;
            assert_eq!(all_stand(block), stands(byte), "{byte}");
        }
    }

    #[test]
    fn one_byte_anywhere_makes_a_text_less_than_plain() {
        for length in 0..40 {
            let plain = vec![b'x'; length];
            assert!(is_plain(&plain));
            for place in 0..length {
                for byte in [b'"', b'\\', b'\n', 0x1f, 0x7f, 0x80, 0xff] {
                    let mut other = plain.clone();
                    other[place] = byte;
                    assert!(!is_plain(&other), "{byte} at {place} of {length}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in any::<String>()) {
            let mut out = Vec::new();
            push_text(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
