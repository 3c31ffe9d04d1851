//! The frame under way, and the part of it that came.

use crate::ws::{Head, MAX_HEAD, mask_from};

/// The frame whose payload comes next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) head: Head,
    pub(super) done: u64,
    /// Where its head begins in the input, while that is the input it came in.
    pub(super) starts: Option<usize>,
}

/// A part of a frame's payload in the input.
pub(super) struct Span<'i> {
    pub(super) input: &'i [u8],
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) ends_frame: bool,
}

impl<'i> Span<'i> {
    /// Its bytes, masked as they came.
    pub(super) fn bytes(&self) -> &'i [u8] {
        &self.input[self.at..self.end]
    }
}

/// A head as it stands on the wire.
pub(super) fn written(head: &Head) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAX_HEAD);
    head.write(&mut bytes);
    bytes
}

/// Adds a part of a frame's payload, unmasked.
pub(super) fn append(to: &mut Vec<u8>, frame: &Frame, bytes: &[u8]) {
    let start = to.len();
    to.extend_from_slice(bytes);
    if let Some(key) = frame.head.mask {
        mask_from(&mut to[start..], key, frame.done);
    }
}
