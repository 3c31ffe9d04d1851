//! Bodies: ours, which remembers that it was sent; theirs, never too large.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use hallpass_core::journal::Journal;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};

use crate::fault::Fault;

/// Whether a request may have reached the upstream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent(Journal);

impl Sent {
    /// Tells what is sent to a mint's journal.
    pub(crate) fn told_to(journal: &Journal) -> Self {
        Self(journal.clone())
    }

    /// Whether the transport took the body.
    ///
    /// Until it does, the upstream can't have a whole request.
    pub(crate) fn get(&self) -> bool {
        self.0.was_sent()
    }
}

/// A request's body in one piece.
#[derive(Debug)]
pub(crate) struct Outgoing {
    bytes: Bytes,
    sent: Sent,
}

impl Outgoing {
    /// A body that notes in `sent` when it is taken.
    pub(crate) const fn new(bytes: Bytes, sent: Sent) -> Self {
        Self { bytes, sent }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        self.sent.0.note_sent();
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

/// Reads a body of at most `limit` bytes.
///
/// A body that announces more is not read at all. One that comes in a single
/// piece, as nearly every reply does, is not copied.
pub(crate) async fn read<B>(mut body: B, limit: usize) -> Result<Bytes, Fault>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(Fault::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Fault::LostInBody)?;
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        if first.len() + rest.len() + bytes.len() > limit {
            return Err(Fault::TooLarge);
        }
        if first.is_empty() {
            first = bytes;
        } else {
            rest.extend_from_slice(&bytes);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    Ok([first, rest.freeze()].concat().into())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{Full, StreamBody};

    use super::*;

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read() {
        let body = |length: usize| Full::from(vec![b'x'; length]);
        assert_eq!(read(body(8), 8).await.unwrap().len(), 8);
        assert_eq!(read(body(0), 8).await.unwrap().len(), 0);
        assert_eq!(read(body(9), 8).await, Err(Fault::TooLarge));
    }

    #[tokio::test]
    async fn pieces_are_counted_and_joined_in_order() {
        let pieces = ["ab", "", "cd", "e"];
        for (limit, expected) in [(5, Ok(Bytes::from("abcde"))), (4, Err(Fault::TooLarge))] {
            let frames = pieces.map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
            let body = StreamBody::new(stream::iter(frames));
            assert_eq!(read(body, limit).await, expected);
        }
    }

    #[tokio::test]
    async fn a_body_is_sent_once_it_is_taken() {
        let sent = Sent::default();
        let body = Outgoing::new("{}".into(), sent.clone());
        assert_eq!(body.size_hint().exact(), Some(2));
        assert!(!sent.get());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "{}");
        assert!(sent.get());
    }
}
