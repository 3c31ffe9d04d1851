//! Calls at OpenAI: made with a browser's offer, listened to, hung up.

mod answer;
mod request;
mod sideband;

use std::{pin::pin, time::Duration};

use hallpass_core::{
    audit::UpstreamFacts,
    call::{CallOrder, HangUpError, ListenError},
};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use secrecy::ExposeSecret;
use tokio::time::{sleep, timeout};

use crate::{
    body::{self, Sent},
    dial::{DialOrder, DialQuery, Failed},
    envelope,
    failure::Failure,
    fault::Fault,
    openai::{OpenAi, lost, within},
    retry_after,
};

pub(crate) use request::CallTemplate;
pub(crate) use sideband::SocketSideband;

/// How long one attempt at hanging up may take.
const HANG_UP_LIMIT: Duration = Duration::from_secs(5);
/// How long a sideband may take to open.
const LISTEN_LIMIT: Duration = Duration::from_secs(10);

/// A call as OpenAI answered it.
#[derive(Debug)]
pub(crate) struct Answered {
    /// OpenAI's id of it.
    pub(crate) call_id: String,
    /// The answer to the offer.
    pub(crate) answer: String,
}

impl OpenAi {
    /// Makes a call; one request, not repeated.
    pub(crate) async fn make_call(
        &self,
        order: &CallOrder,
        deadline: Duration,
    ) -> Result<(Answered, UpstreamFacts), (Failure, UpstreamFacts)> {
        let mut facts = self.facts();
        match self.ask_for_call(order, deadline, &mut facts).await {
            Ok(answered) => Ok((answered, facts)),
            Err(failure) => Err((failure, facts)),
        }
    }

    async fn ask_for_call(
        &self,
        order: &CallOrder,
        deadline: Duration,
        facts: &mut UpstreamFacts,
    ) -> Result<Answered, Failure> {
        if deadline.is_zero() {
            return Err(Fault::DeadlineBeforeSent.into());
        }
        let mut deadline = pin!(sleep(deadline));
        let sent = Sent::told_to(&order.journal);
        let mut request = self.calls.make(order, sent.clone())?;
        self.trace(request.headers_mut());
        let reply = match within(deadline.as_mut(), self.client.request(request)).await {
            Some(Ok(reply)) => reply,
            Some(Err(error)) => return Err(lost(&error, sent.get()).into()),
            None if sent.get() => return Err(Fault::DeadlineBeforeHead.into()),
            None => return Err(Fault::DeadlineBeforeSent.into()),
        };
        let (head, body) = reply.into_parts();
        facts.status = Some(head.status.as_u16());
        facts.request_id = self.request_id(&head.headers);
        let reading = body::read(body, self.response_limit);
        if !matches!(head.status, StatusCode::OK | StatusCode::CREATED) {
            let body = within(deadline, reading).await.and_then(Result::ok);
            let body = body.unwrap_or_default();
            let wait = retry_after::read(&head.headers, self.clock.now());
            return Err(answer::judge(head.status, &body).wait(wait));
        }
        let body = within(deadline, reading)
            .await
            .ok_or(Fault::DeadlineInBody)??;
        let read = answer::read(&head.headers, &body, self.key.expose_secret());
        Ok(read?)
    }

    /// Asks once for a call's end; that there is none is an end, too.
    pub(crate) async fn hang_up_call(&self, call_id: &str) -> Result<(), HangUpError> {
        let request = self.calls.hang_up(call_id);
        let request = request.map_err(|_| HangUpError("its id is no path segment".to_owned()))?;
        let reply = timeout(HANG_UP_LIMIT, self.client.request(request)).await;
        let reply: Response<Incoming> = reply
            .map_err(|_| HangUpError("no answer in time".to_owned()))?
            .map_err(|error| HangUpError(lost(&error, true).row().operator.to_owned()))?;
        match reply.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
            status => {
                let body = timeout(HANG_UP_LIMIT, body::read(reply.into_body(), 64 * 1024)).await;
                let body = body.ok().and_then(Result::ok).unwrap_or_default();
                let row = envelope::judge(status, &body, &[]).fault().row();
                Err(HangUpError(format!("{} (status {status})", row.operator)))
            }
        }
    }

    /// Opens a sideband; `key` is that of its handshake.
    pub(crate) async fn listen_to_call(
        &self,
        call_id: &str,
        key: [u8; 16],
    ) -> Result<SocketSideband, ListenError> {
        let order = DialOrder {
            query: DialQuery::Call(call_id),
            upstream: None,
            safety_identifier: "",
            deadline: LISTEN_LIMIT,
        };
        let opened = timeout(LISTEN_LIMIT, self.sockets().open(&order, key)).await;
        let late = || ListenError::Unreachable("no answer in time".to_owned());
        match opened.map_err(|_| late())? {
            Ok((stream, ahead)) => Ok(SocketSideband::new(stream, ahead).await),
            Err(Failed::Fault(fault)) => {
                Err(ListenError::Unreachable(fault.row().operator.to_owned()))
            }
            Err(Failed::Status(status)) => Err(match status.as_u16() {
                404 => ListenError::NoCall,
                refused @ (401 | 403) => ListenError::Refused(refused),
                _ => ListenError::Unreachable(format!("status {status}")),
            }),
        }
    }
}
