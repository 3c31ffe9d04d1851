//! The one client event that passes unjudged: audio.
//!
//! What passes must be the same to every JSON parser there is. So it has to be
//! an object of plain strings, each member once, of the names an append has,
//! without a single escape or byte beyond ASCII. Anything else is no append
//! here: it is held, parsed strictly and judged like every other event.

/// The type of the event.
const APPEND: &[u8] = b"input_audio_buffer.append";
/// Its members; a bit for each in the order here.
const MEMBERS: [&[u8]; 3] = [b"type", b"audio", b"event_id"];
/// Longest name of a member.
const LONGEST_NAME: usize = 8;

/// What the bytes so far say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appending {
    /// Everything fits, and the type has not come yet.
    Perhaps,
    /// It is an append, and everything fits so far.
    Yes,
    /// It is an append, and over: only white space may follow.
    Complete,
    /// It is no append, or none that every parser reads alike.
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Start,
    FirstName,
    NextName,
    Name,
    Colon,
    Value,
    Text,
    AfterValue,
    End,
    Failed,
}

/// Follows an event byte by byte; audio in strides.
#[derive(Debug, Clone, Default)]
pub(crate) struct AppendScan {
    state: State,
    seen: u8,
    member: u8,
    used: u8,
    token: [u8; 32],
    is_append: bool,
}

impl AppendScan {
    /// Takes the next bytes of the event.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Appending {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.state == State::Text && self.member == 1 {
                let plain = plain_run(bytes);
                if plain > 0 {
                    bytes = &bytes[plain..];
                    continue;
                }
            }
            self.step(*byte);
            if self.state == State::Failed {
                return Appending::No;
            }
            bytes = rest;
        }
        self.verdict()
    }

    const fn verdict(&self) -> Appending {
        match (self.is_append, self.state) {
            (_, State::Failed) | (false, State::End) => Appending::No,
            (true, State::End) => Appending::Complete,
            (true, _) => Appending::Yes,
            (false, _) => Appending::Perhaps,
        }
    }

    fn step(&mut self, byte: u8) {
        let space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let between = !matches!(self.state, State::Name | State::Text | State::Failed);
        if space && between {
            return;
        }
        self.state = match (self.state, byte) {
            (State::Start, b'{') => State::FirstName,
            (State::FirstName | State::NextName, b'"') => self.begin(State::Name),
            (State::Name, b'"') => self.named(),
            (State::Name, _) => self.collect(byte, LONGEST_NAME, State::Name),
            (State::Colon, b':') => State::Value,
            (State::Value, b'"') => self.begin(State::Text),
            (State::Text, b'"') => self.valued(),
            (State::Text, _) if !is_plain(byte) => State::Failed,
            (State::Text, _) if self.member == 0 => self.collect(byte, APPEND.len(), State::Text),
            (State::Text, _) => State::Text,
            (State::AfterValue, b',') => State::NextName,
            (State::AfterValue, b'}') => State::End,
            _ => State::Failed,
        };
    }

    const fn begin(&mut self, text: State) -> State {
        self.used = 0;
        text
    }

    fn collect(&mut self, byte: u8, most: usize, state: State) -> State {
        let at = usize::from(self.used);
        match self.token.get_mut(at) {
            Some(place) if at < most => {
                *place = byte;
                self.used += 1;
                state
            }
            _ => State::Failed,
        }
    }

    fn collected(&self) -> &[u8] {
        self.token.get(..usize::from(self.used)).unwrap_or_default()
    }

    fn named(&mut self) -> State {
        let name = self.collected();
        let member = (0_u8..).zip(MEMBERS).find(|(_, known)| name == *known);
        match member {
            Some((index, _)) if self.seen & (1 << index) == 0 => {
                self.seen |= 1 << index;
                self.member = index;
                State::Colon
            }
            _ => State::Failed,
        }
    }

    fn valued(&mut self) -> State {
        if self.member == 0 {
            if self.collected() != APPEND {
                return State::Failed;
            }
            self.is_append = true;
        }
        State::AfterValue
    }
}

/// A byte of a string that needs no escape and has no other reading.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'"' && byte != b'\\'
}

/// How many bytes at the front are plain; looks at 32 at a time, which the
/// compiler turns into a few instructions.
fn plain_run(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<32>();
    let whole = blocks
        .iter()
        .take_while(|block| block.iter().fold(true, |all, byte| all & is_plain(*byte)))
        .count();
    let start = whole * 32;
    let rest = bytes[start..].iter().take_while(|byte| is_plain(**byte));
    start + rest.count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(text: &[u8]) -> Appending {
        AppendScan::default().take(text)
    }

    #[test]
    fn audio_passes_in_every_order_of_its_members() {
        for text in [
            r#"{"type":"input_audio_buffer.append","audio":"AAAA"}"#,
            r#"{"audio":"AAAA","type":"input_audio_buffer.append"}"#,
            " {\n\"event_id\" : \"e1\" ,\t\"type\":\"input_audio_buffer.append\",\"audio\":\"\"}\r\n",
        ] {
            assert_eq!(scan(text.as_bytes()), Appending::Complete, "{text}");
        }
    }

    #[test]
    fn what_two_parsers_could_read_differently_does_not_pass() {
        for text in [
            r#"{"type":"input_audio_buffer.append","type":"session.update"}"#,
            r#"{"type":"session.update","type":"input_audio_buffer.append"}"#,
            r#"{"\u0074ype":"session.update","type":"input_audio_buffer.append"}"#,
            r#"{"type":"input_audio_buffer.append","audio":"A","\u0074ype":"session.update"}"#,
            r#"{"type":"input_audio_buffer.append","Type":"session.update"}"#,
            r#"{"type":"input_audio_buffer.append","session":{}}"#,
            r#"{"type":"input_audio_buffer.append","audio":{"type":"x"}}"#,
            r#"{"type":"input_audio_buffer.append","audio":"a\"b"}"#,
            r#"{"type":"input\u005faudio_buffer.append"}"#,
            r#"{"type":"input_audio_buffer.append","audio":"é"}"#,
            "\u{feff}{\"type\":\"input_audio_buffer.append\"}",
            r#"[{"type":"input_audio_buffer.append"}]"#,
            r#"{"type":"input_audio_buffer.append"}{"type":"session.update"}"#,
            r#"{"audio":"AAAA"}"#,
            r#"{"type":"input_audio_buffer.append",}"#,
        ] {
            assert_eq!(scan(text.as_bytes()), Appending::No, "{text}");
        }
        for byte in [0_u8, 0x1f, 0x7f, 0xff] {
            let mut text = b"{\"type\":\"input_audio_buffer.append\",\"audio\":\"".to_vec();
            text.extend([byte, b'"', b'}']);
            assert_eq!(scan(&text), Appending::No, "{byte}");
        }
    }

    proptest! {
        #[test]
        fn pieces_say_what_the_whole_says(audio in "[ -~]{0,200}", cuts in prop::collection::vec(0_usize..260, 0..6)) {
            let text = format!("{{\"type\":\"input_audio_buffer.append\",\"audio\":\"{audio}\"}}");
            let whole = scan(text.as_bytes());
            let mut scan = AppendScan::default();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let (mut from, mut last) = (0, Appending::Perhaps);
            for cut in cuts {
                last = scan.take(&text.as_bytes()[from..cut]);
                from = cut;
            }
            prop_assert_eq!(last, whole);
        }

        #[test]
        fn what_passes_has_one_type_to_serde(more in "[{}\":,a-z_. \\\\\\[\\]tu0-9]{0,40}") {
            for text in [
                format!("{{\"type\":\"input_audio_buffer.append\",\"audio\":\"{more}\"}}"),
                format!("{{\"type\":\"input_audio_buffer.append\"{more}}}"),
                format!("{{{more},\"type\":\"input_audio_buffer.append\"}}"),
            ] {
                if scan(text.as_bytes()) == Appending::Complete {
                    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
                    prop_assert_eq!(&read["type"], "input_audio_buffer.append");
                }
            }
        }
    }
}
