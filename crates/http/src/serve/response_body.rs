//! An answer's body, watched: does the client make room for it?

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};

use super::activity::Activity;

/// Bytes of an answer given to an HTTP/2 stream at once.
///
/// A stream takes any piece whole and keeps what its window does not admit.
/// Small pieces keep that little, and show whether the client makes room.
const HTTP2_PIECE: usize = 16 * 1024;

/// A request under way; dropping it ends the request.
#[derive(Debug)]
pub(super) struct Exchange {
    activity: Arc<Activity>,
}

impl Exchange {
    pub(super) fn begin(activity: Arc<Activity>) -> Self {
        activity.begin_request();
        Self { activity }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.activity.end_request();
    }
}

/// The body of an answer on this server's connections.
///
/// A body that is not asked for its next frame waits for the client: on
/// HTTP/2 a client can close its window and leave the socket writable, so the
/// socket alone does not show a stalled reader.
#[derive(Debug)]
pub struct ResponseBody<B> {
    body: B,
    /// Largest piece handed out at once, and what is left of a larger one.
    largest: usize,
    rest: Bytes,
    waits_for_client: bool,
    exchange: Exchange,
}

impl<B> ResponseBody<B> {
    /// An answer to a request of this HTTP version.
    pub(super) fn new(body: B, exchange: Exchange, version: Version) -> Self {
        exchange.activity().answer_waits();
        let largest = match version {
            Version::HTTP_2 => HTTP2_PIECE,
            _ => usize::MAX,
        };
        Self {
            body,
            largest,
            rest: Bytes::new(),
            waits_for_client: true,
            exchange,
        }
    }

    fn set_waiting(&mut self, waits: bool) {
        if self.waits_for_client == waits {
            return;
        }
        self.waits_for_client = waits;
        match waits {
            true => self.exchange.activity().answer_waits(),
            false => self.exchange.activity().answer_moves(),
        }
    }
}

impl<B> Drop for ResponseBody<B> {
    fn drop(&mut self) {
        self.set_waiting(false);
    }
}

impl<B: Body<Data = Bytes> + Unpin> ResponseBody<B> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            match frame.into_data() {
                Ok(bytes) => self.rest = bytes,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let length = self.rest.len().min(self.largest);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let piece = this.poll_piece(cx);
        this.set_waiting(piece.is_ready());
        if piece.is_ready() {
            this.exchange.activity().take_frame();
        }
        piece
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
