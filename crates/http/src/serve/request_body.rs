//! A request's body, with one deadline for all of it.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestBodyError {
    /// It did not arrive within [`Limits::body`](super::Limits::body).
    #[error("the request body did not arrive in time; send it at once after the head")]
    Timeout,
    /// The connection broke, or the body's framing is wrong.
    #[error("the request body broke off or is malformed")]
    Broken(#[source] hyper::Error),
}

/// Whether a body failed because its deadline passed; the answer is then 408.
///
/// Takes what an extractor hands out and follows its sources.
pub fn is_body_timeout(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(RequestBodyError::Timeout)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The body of a request on this server's connections.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    due: Option<Due>,
}

#[derive(Debug)]
struct Due {
    at: Instant,
    activity: Arc<Activity>,
    /// Made when a read first has to wait: most bodies come with their head.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    /// A body due at `due()`; asked only where there is a body at all.
    pub(super) fn new(
        incoming: Incoming,
        activity: &Arc<Activity>,
        due: impl FnOnce() -> Instant,
    ) -> Self {
        let due = (!incoming.is_end_stream()).then(|| Due {
            at: due(),
            activity: activity.clone(),
            sleep: None,
        });
        Self { incoming, due }
    }
}

impl Due {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<RequestBodyError> {
        let at = self.at;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        sleep.as_mut().poll(cx).map(|()| {
            self.activity.expire_body();
            RequestBodyError::Timeout
        })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        // A trickle is always ready, so an expired timer is asked first.
        if let Some(due) = &mut this.due
            && due.sleep.is_some()
            && let Poll::Ready(error) = due.poll(cx)
        {
            return Poll::Ready(Some(Err(error)));
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(RequestBodyError::Broken)));
        }
        match &mut this.due {
            Some(due) => due.poll(cx).map(|error| Some(Err(error))),
            None => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
