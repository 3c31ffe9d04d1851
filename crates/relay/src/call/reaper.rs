//! Calls that a process left behind when it died.

use std::sync::Arc;

use hallpass_core::{call::StandingCall, ports::StoreError};

use super::{desk::CallDesk, hang_up};

impl CallDesk {
    /// Hangs up every call that a dead process left standing, an earlier one
    /// here or another replica: nobody measures or limits it any more. Gives
    /// how many there were; each is tried until it is sure, in a task of its
    /// own.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the calls can't be read.
    pub async fn reap(self: &Arc<Self>) -> Result<usize, StoreError> {
        let orphans = self.parts.standing.adopt().await?;
        let count = orphans.len();
        for orphan in orphans {
            let desk = self.clone();
            self.tasks
                .spawn(async move { desk.reap_one(&orphan).await });
        }
        Ok(count)
    }

    async fn reap_one(&self, orphan: &StandingCall) {
        let over_at = super::desk::surely_over(orphan.ends_at);
        let (maker, clock) = (&*self.parts.maker, &*self.parts.clock);
        let hung_up = hang_up::until_sure(maker, clock, &orphan.place, over_at).await;
        let facts = vec![
            ("call", orphan.place.call_id.clone()),
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
