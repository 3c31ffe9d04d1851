//! The type of one of OpenAI's events, wherever among its members it stands.

use memchr::memchr2;

/// Longest type kept; what is longer is none we look for.
const LONGEST: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// Before a value, or between things.
    #[default]
    Outside,
    /// In the name of a member at the top.
    Name,
    /// In the text that is the type.
    Type,
    /// In any other text.
    Text,
}

/// Looks for the member `type` at the top of an object.
///
/// OpenAI's events are taken to be JSON: this finds a type where there is one
/// and does not judge.
#[derive(Debug, Clone)]
pub(crate) struct KindScan {
    at: At,
    depth: u32,
    /// Whether the next text at the top is a name.
    expects_name: bool,
    /// Whether the value that follows is that of `type`.
    is_type: bool,
    escaped: bool,
    used: u8,
    token: [u8; LONGEST],
}

impl Default for KindScan {
    fn default() -> Self {
        Self {
            at: At::Outside,
            depth: 0,
            expects_name: false,
            is_type: false,
            escaped: false,
            used: 0,
            token: [0; LONGEST],
        }
    }
}

impl KindScan {
    /// Takes the next bytes; the type once it is known.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Option<&str> {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.at == At::Text && !self.escaped {
                let skip = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
                if skip > 0 {
                    bytes = &bytes[skip..];
                    continue;
                }
            }
            if self.step(*byte) {
                return str::from_utf8(self.collected()).ok();
            }
            bytes = rest;
        }
        None
    }

    fn collected(&self) -> &[u8] {
        self.token.get(..usize::from(self.used)).unwrap_or_default()
    }

    /// True when the type is complete.
    fn step(&mut self, byte: u8) -> bool {
        match self.at {
            At::Outside => self.outside(byte),
            _ if self.escaped => {
                self.escaped = false;
                self.keep(byte);
            }
            _ if byte == b'\\' => self.escaped = true,
            At::Type if byte == b'"' => return true,
            At::Name if byte == b'"' => {
                self.is_type = self.collected() == b"type";
                self.at = At::Outside;
            }
            At::Text if byte == b'"' => self.at = At::Outside,
            _ => self.keep(byte),
        }
        false
    }

    const fn outside(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                self.expects_name = self.depth == 1 && byte == b'{';
                self.is_type = false;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => {
                self.expects_name = self.depth == 1;
                self.is_type = false;
            }
            b'"' => {
                self.used = 0;
                self.at = match (self.depth, self.expects_name, self.is_type) {
                    (1, true, _) => At::Name,
                    (1, false, true) => At::Type,
                    _ => At::Text,
                };
                self.expects_name = false;
            }
            _ => {}
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.at == At::Text {
            return;
        }
        if let Some(place) = self.token.get_mut(usize::from(self.used)) {
            *place = byte;
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn kind(text: &str) -> Option<String> {
        KindScan::default().take(text.as_bytes()).map(str::to_owned)
    }

    #[test]
    fn the_type_is_found_wherever_it_stands_at_the_top() {
        for text in [
            r#"{"type":"response.done","x":1}"#,
            r#"{ "event_id" : "e\"{" , "type" : "response.done" }"#,
            r#"{"response":{"type":"no","a":["type",{"type":"no"}]},"type":"response.done"}"#,
            r#"{"a":"type","b":["x"],"type":"response.done"}"#,
        ] {
            assert_eq!(kind(text).as_deref(), Some("response.done"), "{text}");
        }
        for text in [r#"{"a":{"type":"no"}}"#, "", r#"{"type":5,"x":"no"}"#] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn serde_agrees_however_it_is_cut(before in "\\PC{0,12}", kind in "[a-z._]{1,20}", cut in 0_usize..100) {
            let event = json!({"a": before, "n": {"type": before}, "type": kind, "z": [before]});
            let text = event.to_string();
            let cut = (0..=cut.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            let mut scan = KindScan::default();
            let first = scan.take(&text.as_bytes()[..cut]).map(str::to_owned);
            let found = first.or_else(|| scan.take(&text.as_bytes()[cut..]).map(str::to_owned));
            prop_assert_eq!(found, Some(kind));
        }
    }
}
