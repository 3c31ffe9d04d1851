//! One direction of a relay: frames in as bytes, frames out as bytes.
//!
//! No socket is touched here. What passes is given back as ranges of the input,
//! so that it is copied nowhere; what has to be seen whole is held until it is,
//! and given back as frames of our own.

mod frame;
mod message;
mod sink;
mod splicer;
mod violation;

pub(crate) use sink::{Found, Part, Sink};
pub(crate) use splicer::Splicer;
pub(crate) use violation::{Side, Violation};

/// What is known of a message after some of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Not enough to tell.
    Undecided,
    /// It passes, and the rest need not be looked at.
    Pass,
    /// It passes if the rest keeps its promise.
    PassWatched,
    /// It passes, and a copy is wanted.
    Copy,
    /// It has to be seen whole.
    Hold,
}

/// What becomes of a message that was held.
#[derive(Debug)]
pub(crate) enum Judged {
    /// This goes on.
    Forward(Vec<u8>),
    /// Nothing goes on.
    Drop,
}

/// Decides about the messages of one direction.
pub(crate) trait Judge {
    /// What it remembers of a message under way.
    type Scan: Default;

    /// Looks at the next bytes of a message.
    fn look(&self, scan: &mut Self::Scan, bytes: &[u8]) -> Sight;

    /// Whether a watched message kept its promise to its end.
    fn kept(&self, scan: &mut Self::Scan) -> bool;

    /// Judges a whole message.
    fn judge(&mut self, message: Vec<u8>, sink: &mut Sink) -> Judged;

    /// Reads the copy of a message that passed; none where it was too long.
    fn copied(&mut self, message: Option<Vec<u8>>, sink: &mut Sink);

    /// A message is too long to be held, or of bytes: it is skipped.
    fn skipped(&mut self, binary: bool, sink: &mut Sink);
}

#[cfg(test)]
mod tests;
