//! Readings of a text in which a key is written otherwise than plainly.
//!
//! Each reading begins at the hit of a needle and goes some way back and forth
//! from there, so its cost does not grow with the text around it.

mod base64;
mod characters;
mod escapes;
mod hexadecimal;
mod packed;
mod utf16;
mod wrapped;

use std::ops::Range;

use serde::Serialize;

pub(crate) use self::{
    base64::{alignments, base64},
    characters::character_codes,
    escapes::escapes,
    hexadecimal::hexadecimal,
    packed::{inflated, is_packed_base64},
    utf16::{transcoded, utf16},
    wrapped::wrapped,
};

/// Bytes read before a hit: more than the longest key, however written.
const BACK: usize = 4 * 1024;
/// Bytes read after a hit before the reading is cut and begun anew.
const FORTH: usize = 64 * 1024;

/// How a key was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Encoding {
    /// Base64, in either alphabet and at any alignment.
    Base64,
    /// Hexadecimal digits.
    Hexadecimal,
    /// Escapes: `%2d`, `\x2d`, `\u002d`, `&#45;`.
    Escapes,
    /// UTF-16 of either byte order.
    Utf16,
    /// A list of character codes.
    CharacterCodes,
    /// Gzip, within a text.
    Gzip,
    /// Pieces that the program puts together.
    Pieces,
}

impl Encoding {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hexadecimal => "hexadecimal",
            Self::Escapes => "escapes",
            Self::Utf16 => "utf-16",
            Self::CharacterCodes => "character codes",
            Self::Gzip => "gzip",
            Self::Pieces => "pieces",
        }
    }
}

/// What was read, and where it stands.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Where it stands in the text it was read from.
    pub(crate) span: Range<usize>,
    /// From where a further hit of the same needle needs a reading of its own.
    pub(crate) done: usize,
    /// What it says.
    pub(crate) text: Vec<u8>,
}

impl Reading {
    /// A reading of a run; where it was cut the next one begins before its end.
    fn of(span: Range<usize>, cut: bool, text: Vec<u8>) -> Self {
        let done = if cut {
            span.end.saturating_sub(BACK).max(span.start + 1)
        } else {
            span.end
        };
        Self { span, done, text }
    }
}
