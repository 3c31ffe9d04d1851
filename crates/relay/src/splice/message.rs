//! The message under way: what is done with it, and what of it waits.

use super::{
    Sink,
    frame::{Frame, Span, written},
};
use crate::ws::{Head, Opcode, mask_from};

/// The message under way.
pub(super) struct Message<S> {
    pub(super) scan: S,
    pub(super) doing: Doing,
    /// Unmasked bytes that wait for the decision, or are the copy.
    pub(super) held: Vec<u8>,
    /// How many of these are of frames before this one.
    pub(super) of_earlier: usize,
    /// Whether the copy grew too long.
    pub(super) cut: bool,
}

/// What is done with its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Deciding,
    Passing,
    Watching,
    Copying,
    Holding,
    Skipping,
}

impl Doing {
    /// Whether its frames go on as they come.
    pub(super) const fn passes(self) -> bool {
        matches!(self, Self::Passing | Self::Watching | Self::Copying)
    }
}

/// Sends on what waited for the decision, and the part that brought it.
pub(super) fn release<S>(message: &Message<S>, frame: &Frame, here: &Span<'_>, sink: &mut Sink) {
    if message.held.is_empty()
        && frame.head.opcode == Opcode::Text
        && let Some(starts) = frame.starts
    {
        sink.pass(starts..here.end);
        return;
    }
    let (earlier, own) = message.held.split_at(message.of_earlier);
    let mut opcode = Opcode::Text;
    if !earlier.is_empty() {
        sink.own(Head::frame(false, opcode, frame.head.mask, earlier));
        opcode = Opcode::Continuation;
    }
    let mut begun = written(&Head {
        opcode,
        ..frame.head
    });
    let payload = begun.len();
    begun.extend_from_slice(own);
    if let Some(key) = frame.head.mask {
        mask_from(&mut begun[payload..], key, 0);
    }
    sink.own(begun);
    sink.pass(here.at..here.end);
}
