//! An answer's body, watched: does the client make room for it?

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use super::activity::Activity;

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
    waits_for_client: bool,
    exchange: Exchange,
}

impl<B> ResponseBody<B> {
    pub(super) fn new(body: B, exchange: Exchange) -> Self {
        exchange.activity().answer_waits();
        Self {
            body,
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

impl<B: Body + Unpin> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        this.set_waiting(frame.is_ready());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
