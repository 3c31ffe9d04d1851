//! What the first pass looks for: every text that a key can't be without, in
//! each of its encodings.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};

use crate::{
    decode::alignments,
    forms::{MARKER, PREFIXES},
    rule::Rule,
};

/// Digits of base64 from which on its base64 is looked for too; fewer would
/// stand in any picture.
const TWICE: usize = 6;

/// What the hit of a needle may be part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needle {
    /// OpenAI's marker.
    Marker,
    /// A prefix that names its kind.
    Prefix(&'static [u8], Rule),
    /// `ek_`.
    ClientSecret,
    /// `ek_hp_`.
    OwnPass,
    /// `hp_`.
    OwnKey,
    /// A name that may be one of a public variable.
    PublicName,
    /// Base64 at this place within its group of four.
    Base64(usize),
    /// Base64 of gzip.
    Packed,
    /// Hexadecimal digits.
    Hexadecimal,
    /// An escaped character.
    Escape,
    /// Wide characters.
    Utf16,
    /// Character codes.
    CharacterCodes,
    /// A literal that begins as a key does.
    Begun,
    /// `.join(`.
    Join,
    /// `.concat(`.
    Concat,
    /// A literal within a template.
    Template,
}

/// The needles and what each is part of.
#[derive(Debug)]
pub(crate) struct Needles {
    pub(crate) automaton: AhoCorasick,
    pub(crate) kinds: Vec<Needle>,
}

impl Needles {
    /// Builds the automaton of all needles.
    pub(crate) fn new() -> Result<Self, BuildError> {
        let mut list = List::default();
        list.plain();
        list.base64();
        list.hexadecimal();
        list.escapes();
        list.others();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&list.texts)?;
        Ok(Self {
            automaton,
            kinds: list.kinds,
        })
    }
}

#[derive(Default)]
struct List {
    texts: Vec<Vec<u8>>,
    kinds: Vec<Needle>,
}

impl List {
    fn add(&mut self, text: impl Into<Vec<u8>>, kind: Needle) {
        let text = text.into();
        if !self.texts.contains(&text) {
            self.texts.push(text);
            self.kinds.push(kind);
        }
    }

    fn plain(&mut self) {
        self.add(MARKER, Needle::Marker);
        for (prefix, rule) in PREFIXES {
            self.add(prefix, Needle::Prefix(prefix, rule));
        }
        self.add("ek_", Needle::ClientSecret);
        self.add("ek_hp_", Needle::OwnPass);
        self.add("hp_", Needle::OwnKey);
        self.add("OPENAI", Needle::PublicName);
    }

    fn base64(&mut self) {
        for text in encoded_texts() {
            let wide: Vec<u8> = text.iter().flat_map(|byte| [*byte, 0]).collect();
            let short = &wide[..wide.len().min(8)];
            for (form, place) in alignments(text).chain(alignments(short)) {
                self.both_alphabets(form, place);
            }
            let once = alignments(text).filter(|(form, _)| form.len() >= TWICE);
            for (form, _) in once {
                for (twice, place) in alignments(&form) {
                    self.add(twice, Needle::Base64(place));
                }
            }
        }
        self.add("H4sI", Needle::Packed);
    }

    fn both_alphabets(&mut self, form: Vec<u8>, place: usize) {
        let url_safe = |byte: &u8| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        };
        let other: Vec<u8> = form.iter().map(url_safe).collect();
        self.add(form, Needle::Base64(place));
        self.add(other, Needle::Base64(place));
    }

    fn hexadecimal(&mut self) {
        for text in encoded_texts() {
            let lower: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
            self.add(lower.to_ascii_uppercase(), Needle::Hexadecimal);
            self.add(lower, Needle::Hexadecimal);
        }
    }

    /// The first two letters of every form, and the two signs that keys hold.
    fn escapes(&mut self) {
        for pair in ["sk", "ek", "hp", "-", "_"] {
            let codes: Vec<u32> = pair.chars().map(u32::from).collect();
            let forms: [fn(u32) -> String; 7] = [
                |code| format!("%{code:02x}"),
                |code| format!("\\x{code:02x}"),
                |code| format!("\\\\x{code:02x}"),
                |code| format!("\\u{code:04x}"),
                |code| format!("\\\\u{code:04x}"),
                |code| format!("&#{code};"),
                |code| format!("\\u{{{code:x}}}"),
            ];
            let octal: String = codes.iter().map(|code| format!("\\{code:03o}")).collect();
            self.add(octal, Needle::Escape);
            for form in forms {
                let lower: String = codes.iter().copied().map(form).collect();
                self.add(upper_digits(&lower), Needle::Escape);
                self.add(lower, Needle::Escape);
            }
            let hexadecimal: String = codes.iter().map(|code| format!("&#x{code:x};")).collect();
            self.add(upper_digits(&hexadecimal), Needle::Escape);
            self.add(hexadecimal, Needle::Escape);
        }
        for twice in [
            "%252D",
            "%255F",
            "%252d",
            "%255f",
            "%2573%256B",
            "%2573%256b",
            "%2565%256B",
            "%2565%256b",
            "&#045;",
            "&#095;",
            "&#x002D;",
            "&#x002d;",
            "&#x005F;",
            "&#x005f;",
            "&lowbar;",
            "\\55",
        ] {
            self.add(twice, Needle::Escape);
        }
    }

    fn others(&mut self) {
        for text in ["s\0k\0-", "e\0k\0_", "h\0p\0_"] {
            self.add(text, Needle::Utf16);
        }
        for list in [
            "115,107,45",
            "115, 107, 45",
            "101,107,95",
            "101, 107, 95",
            "104,112,95",
            "104, 112, 95",
            "115,\n",
            "115,\r\n",
            "101,\n",
            "101,\r\n",
            "104,\n",
            "104,\r\n",
            "0x73,",
            "0x65,",
            "0x68,",
        ] {
            self.add(list, Needle::CharacterCodes);
        }
        for mark in ['"', '\'', '`'] {
            for begin in ["sk-", "ek_", "hp_"] {
                self.add(format!("{mark}{begin}"), Needle::Begun);
            }
        }
        self.add(".join(", Needle::Join);
        self.add(".concat(", Needle::Concat);
        for mark in ['"', '\'', '`'] {
            self.add(format!("${{{mark}"), Needle::Template);
            self.add(format!("${{ {mark}"), Needle::Template);
        }
    }
}

/// What is looked for in an encoding: long enough to be rare there.
fn encoded_texts() -> impl Iterator<Item = &'static [u8]> {
    let prefixes = PREFIXES.iter().map(|(prefix, _)| *prefix);
    let others: [&[u8]; 4] = [MARKER, b"ek_", b"hp_svc_", b"hp_adm_"];
    prefixes.chain(others)
}

/// Hexadecimal digits in upper case; the letters that begin an escape stay.
fn upper_digits(escape: &str) -> String {
    let upper = |letter: char| {
        if letter == 'x' || letter == 'u' {
            letter
        } else {
            letter.to_ascii_uppercase()
        }
    };
    escape.chars().map(upper).collect()
}
