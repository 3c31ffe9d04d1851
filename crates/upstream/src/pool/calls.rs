//! Calls at whichever target can; what follows goes to the same key.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hallpass_core::{
    call::{CallMaker, CallOrder, CallPlace, HangUpError, ListenError, MadeCall, Sideband},
    ports::MintFailure,
};
use tokio::time::Instant;

use super::{Failed, Pool, nobody_to_ask};
use crate::{
    attempt_span::{Asked, traced},
    choice::{self, Tried},
    dial::fresh_key,
    exchange::Exchange,
    judgement::{self, Remedy, Verdict},
    openai::OpenAi,
    retry,
    target::{Leave, Target},
};

impl Pool<OpenAi> {
    async fn attempt_call(
        &self,
        leave: Leave<OpenAi>,
        order: &CallOrder,
        left: Duration,
        resent: u32,
    ) -> Result<MadeCall, Failed> {
        let started = Instant::now();
        let target = Arc::clone(&leave.target);
        let (name, key) = (&target.settings.name, &target.settings.key);
        let left = left.min(target.settings.timeout);
        let asked = Asked {
            span: "POST /realtime/calls",
            upstream: name,
            server: target.exchange.server(),
            resent,
        };
        let call = || target.exchange.make_call(order, left);
        let result = traced(asked, call, |(_, facts)| facts).await;
        let duration = started.elapsed();
        let told = |outcome| self.around.observer.attempted(name, outcome, duration);
        match result {
            Ok((answered, upstream)) => {
                leave.close(Verdict::Well, None, None);
                told("success");
                Ok(MadeCall {
                    place: CallPlace {
                        call_id: answered.call_id,
                        upstream: name.clone(),
                        key: key.clone(),
                    },
                    answer: answered.answer,
                    upstream,
                })
            }
            Err((failure, facts)) => {
                let code = failure.fault().row().code;
                let rest = retry::rest_of(&failure);
                leave.close(judgement::verdict(failure.fault()), Some(code), rest);
                told(code.as_str());
                Err(Failed {
                    failure,
                    facts,
                    duration,
                })
            }
        }
    }

    /// The target a call was made at; where it is gone, the likeliest other.
    fn of_place(&self, place: &CallPlace) -> Option<Arc<Target<OpenAi>>> {
        let targets = self.targets.load();
        let same_key = |target: &&Arc<Target<OpenAi>>| target.settings.key == place.key;
        let same_name = |target: &&Arc<Target<OpenAi>>| target.settings.name == place.upstream;
        let exact = targets.iter().find(|it| same_key(it) && same_name(it));
        exact
            .or_else(|| targets.iter().find(same_key))
            .or_else(|| targets.iter().find(same_name))
            .cloned()
    }
}

#[async_trait]
impl CallMaker for Pool<OpenAi> {
    async fn make(&self, order: CallOrder) -> Result<MadeCall, Box<MintFailure>> {
        let targets = self.targets.load_full();
        let deadline = Instant::now() + order.deadline;
        let mut tried = Tried::default();
        let random = &self.around.random;
        let Some((mut index, mut leave)) = choice::choose(&targets, tried, random) else {
            return Err(nobody_to_ask(&targets, random));
        };
        let mut sent = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let failed = match self.attempt_call(leave, &order, left, sent).await {
                Ok(made) => return Ok(made),
                Err(failed) => failed,
            };
            tried.add(index);
            // A browser waits, and only what made no call may be sent again.
            let remedy = judgement::remedy(failed.failure.fault(), failed.facts.status);
            let elsewhere = matches!(
                remedy,
                Remedy::AnyAgain | Remedy::OtherKey | Remedy::OtherKeyOrWait
            );
            let other = elsewhere.then(|| choice::choose(&targets, tried, random));
            let Some((other, other_leave)) = other.flatten() else {
                return Err(failed.failure.into_mint_failure(failed.facts));
            };
            let attempt = failed.failure.to_attempt(&failed.facts, failed.duration);
            order.journal.note_failed(attempt);
            sent += 1;
            (index, leave) = (other, other_leave);
        }
    }

    async fn listen(&self, place: &CallPlace) -> Result<Box<dyn Sideband>, ListenError> {
        let target = self.of_place(place);
        let target = target.ok_or_else(|| ListenError::Unreachable(GONE.to_owned()))?;
        let key = fresh_key(&self.around.random);
        let sideband = target.exchange.listen_to_call(&place.call_id, key).await?;
        Ok(Box::new(sideband))
    }

    async fn hang_up(&self, place: &CallPlace) -> Result<(), HangUpError> {
        let target = self.of_place(place);
        let target = target.ok_or_else(|| HangUpError(GONE.to_owned()))?;
        target.exchange.hang_up_call(&place.call_id).await
    }
}

/// What the operator is told where no target can reach a call any more.
const GONE: &str = "the upstream it was made at is not configured any more";
