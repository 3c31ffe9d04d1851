//! What comes of some bytes.

use std::ops::Range;

use crate::ws::Close;

/// A piece of what goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// These bytes of the input, as they are.
    Input(Range<usize>),
    /// These bytes.
    Own(Vec<u8>),
}

/// What comes of some bytes of a direction.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    /// To the other end, in order.
    pub onward: Vec<Part>,
    /// Events to the end the bytes came from.
    pub back: Vec<String>,
    /// The close that came, whose frame is among `onward`.
    pub closed: Option<Option<Close>>,
    /// Whether a message began, so that nobody is idle.
    pub spoke: bool,
    /// What else the judge found.
    pub found: Vec<Found>,
}

/// Something a judge found in an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Usage, priced.
    Usage(hallpass_core::usage::Reading),
    /// An event was refused, for this reason.
    Refused(&'static str),
    /// Members of an event were set back.
    SetBack(Vec<String>),
    /// OpenAI's session is ready, and this is its id.
    Ready(Option<String>),
    /// OpenAI refused the profile's session, or the standard key.
    NotReady(String),
}

impl Sink {
    /// Passes a range on, joined to the one before where they touch.
    pub(super) fn pass(&mut self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        match self.onward.last_mut() {
            Some(Part::Input(last)) if last.end == range.start => last.end = range.end,
            _ => self.onward.push(Part::Input(range)),
        }
    }

    pub(super) fn own(&mut self, bytes: Vec<u8>) {
        self.onward.push(Part::Own(bytes));
    }

    /// What goes on, as one.
    #[must_use]
    pub(crate) fn joined(&self, input: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        for part in &self.onward {
            match part {
                Part::Input(range) => all.extend_from_slice(&input[range.clone()]),
                Part::Own(bytes) => all.extend_from_slice(bytes),
            }
        }
        all
    }
}
