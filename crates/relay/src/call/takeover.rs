//! Calls that a process left behind when it died: carried on where that can be
//! done, and hung up where not.

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    call::StandingCall,
    live::EndReason,
    pipeline::{NotResumed, Opened},
    ports::StoreError,
};
use tokio::time::sleep;

use super::{desk::CallDesk, hang_up, watch::Watch};

/// The wait before a store is asked again that could not answer.
const ASK_AGAIN: Duration = Duration::from_millis(500);

impl CallDesk {
    /// Takes over every call that a dead process left standing, an earlier one
    /// here or another replica, and lets go of those that another has taken
    /// over from this one. Gives how many were taken; each is seen to its end
    /// in a task of its own.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the calls can't be read.
    pub async fn take_over(self: &Arc<Self>) -> Result<usize, StoreError> {
        // A server that stops ends its own calls and begins with no others.
        if self.tasks.is_closed() {
            return Ok(0);
        }
        for call in self.parts.standing.lost().await? {
            self.let_go(&call);
        }
        let orphans = self.parts.standing.adopt().await?;
        let count = orphans.len();
        for orphan in orphans {
            let desk = self.clone();
            self.tasks.spawn(async move { desk.carry_on(orphan).await });
        }
        Ok(count)
    }

    /// Ends the watch of a call that goes on elsewhere.
    fn let_go(&self, call_id: &str) {
        let live = &self.parts.broker.sessions().live;
        if let Some(session) = live.of_call(call_id) {
            tracing::warn!(
                call = call_id,
                "another replica took this one for dead, and its call over"
            );
            session.end(EndReason::TakenOver);
        }
    }

    /// Carries a call on until it is over, or hangs it up: nobody would measure
    /// or limit it any more.
    async fn carry_on(&self, orphan: StandingCall) {
        let call = &orphan.place.call_id;
        match self.resume(&orphan).await {
            Ok(opened) => {
                tracing::info!(%call, "a call of a process that died is carried on");
                let maker = self.parts.maker.clone();
                let (prices, patience) = (self.parts.prices.clone(), self.parts.patience);
                let watch = Watch::new(opened, orphan.place.clone(), maker, prices, patience);
                self.until_over(watch.resumed(), orphan).await;
            }
            Err(why) => {
                tracing::warn!(%call, %why, "a call of a process that died can't be carried on and is hung up");
                self.hang_up_orphan(&orphan, &why).await;
            }
        }
    }

    /// Enters a call as live; asks again while a store can't be asked and the
    /// call may still last.
    async fn resume(&self, orphan: &StandingCall) -> Result<Opened, NotResumed> {
        loop {
            let refused = match self.parts.broker.resume_session(orphan).await {
                Ok(opened) => return Ok(opened),
                Err(refused) => refused,
            };
            let over = self.parts.clock.now() >= orphan.ends_at || self.tasks.is_closed();
            if over || matches!(refused, NotResumed::Never(_)) {
                return Err(refused);
            }
            tracing::debug!(call = %orphan.place.call_id, %refused, "asking again");
            sleep(ASK_AGAIN).await;
        }
    }

    async fn hang_up_orphan(&self, orphan: &StandingCall, why: &NotResumed) {
        let over_at = super::desk::surely_over(orphan.ends_at);
        let (maker, clock) = (&*self.parts.maker, &*self.parts.clock);
        let hung_up = hang_up::until_sure(maker, clock, &orphan.place, over_at).await;
        let facts = vec![
            ("call", orphan.place.call_id.clone()),
            ("why", why.to_string()),
            ("hang_up_attempts", hung_up.attempts.to_string()),
            ("hang_up_confirmed", hung_up.confirmed.to_string()),
        ];
        let broker = &self.parts.broker;
        broker
            .record_orphan(&orphan.session, &orphan.grant, facts)
            .await;
        self.forget(&orphan.place.call_id).await;
    }
}
