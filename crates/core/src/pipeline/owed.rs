//! What a request owes the trail until its end is written.

use std::sync::Arc;

use super::broker::Broker;
use crate::{
    audit::{Action, AuditEvent, Outcome},
    caller::Caller,
    code::Code,
    request::RequestFacts,
};

/// A debt to the trail: dropped unpaid, it queues the record itself.
///
/// That happens where a caller hangs up between two steps, or where a handler
/// panics. Without it such a request would have been here and left no trace.
pub(super) struct Owed<'b> {
    broker: &'b Broker,
    request: Arc<RequestFacts>,
    caller: Option<Arc<Caller>>,
    action: Action,
    open: bool,
}

impl<'b> Owed<'b> {
    /// Owes the end of a request whose sender is not known yet.
    pub(super) fn new(broker: &'b Broker, request: Arc<RequestFacts>) -> Self {
        Self {
            broker,
            request,
            caller: None,
            action: Action::Authenticate,
            open: true,
        }
    }

    /// Says who sends the request.
    pub(super) fn sent_by(&mut self, caller: &Arc<Caller>) {
        self.caller = Some(caller.clone());
    }

    /// Says what the request is for.
    pub(super) const fn is_for(&mut self, action: Action) {
        self.action = action;
    }

    /// The record is queued by someone else, in the same step.
    pub(super) const fn pay(&mut self) {
        self.open = false;
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let outcome = if std::thread::panicking() {
            Outcome::Failed {
                code: Code::Internal,
                reason: Some("a handler panicked".to_owned()),
            }
        } else {
            Outcome::Abandoned
        };
        let now = self.broker.clock().now();
        let mut event = AuditEvent::outcome(now, self.action, outcome);
        event.request = Some(self.request.clone());
        event.caller = self.caller.take();
        drop(self.broker.audit().append(event));
    }
}
