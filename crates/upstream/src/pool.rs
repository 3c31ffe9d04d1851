//! Several keys and hosts as one minter.
//!
//! A mint goes to one target. Only a fault of its key sends it on to another;
//! a host that is unwell is not exchanged for another in the middle of a mint,
//! since it may have minted. No call is ever sent twice at the same time.

mod calls;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hallpass_core::{
    audit::UpstreamFacts,
    code::Code,
    ports::{Clock, MintFailure, MintOrder, MintedSecret, Minter},
    refusal::Refusal,
};
use tokio::time::{Instant, sleep};

use crate::{
    attempt_span::{Asked, traced},
    breaker::BreakerState,
    budget::RetryBudget,
    choice::{self, Tried},
    exchange::Exchange,
    failure::Failure,
    fault,
    judgement::{self, Verdict},
    observer::PoolObserver,
    openai::OpenAi,
    random::Random,
    retry::{self, Next, RetrySettings},
    target::{Leave, Surroundings, Target, TargetSettings, TargetStatus},
};

/// What a pool needs from outside.
pub struct PoolParts {
    /// Tells the time of what the status tells.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from.
    pub random: Random,
    /// Who is told.
    pub observer: Arc<dyn PoolObserver>,
    /// What is tried again.
    pub retry: RetrySettings,
}

/// Mints at whichever of its targets can.
pub struct Pool<E = OpenAi> {
    targets: ArcSwap<Vec<Arc<Target<E>>>>,
    around: Surroundings,
    retry: RetrySettings,
    budget: RetryBudget,
}

impl<E> Pool<E> {
    /// A pool without targets.
    #[must_use]
    pub fn new(parts: PoolParts) -> Self {
        Self {
            targets: ArcSwap::default(),
            budget: RetryBudget::new(parts.retry.budget_percent),
            retry: parts.retry,
            around: Surroundings {
                clock: parts.clock,
                random: parts.random,
                observer: parts.observer,
            },
        }
    }

    /// Puts other targets in force. One that stays the same keeps its breaker
    /// and its connections; one that changed keeps what an operator wished of
    /// its breaker. Mints under way keep the targets they began with.
    pub fn replace(&self, targets: impl IntoIterator<Item = (TargetSettings, E)>) {
        let old = self.targets.load_full();
        let kept = |settings: &TargetSettings| {
            let same = |target: &&Arc<Target<E>>| {
                target.settings.name == settings.name
                    && target.settings.fingerprint == settings.fingerprint
            };
            old.iter().find(same).cloned()
        };
        let wish = |name: &str| {
            let same = old.iter().find(|target| *target.settings.name == *name);
            same.and_then(|target| target.wish())
        };
        let new = targets.into_iter().map(|(settings, exchange)| {
            kept(&settings).unwrap_or_else(|| {
                let wish = wish(&settings.name);
                let target = Target::new(settings, exchange, self.around.clone());
                if wish.is_some() {
                    target.force(wish);
                }
                Arc::new(target)
            })
        });
        self.targets.store(Arc::new(new.collect()));
    }

    /// The targets in force.
    pub(crate) fn targets(&self) -> Vec<Arc<Target<E>>> {
        self.targets.load().to_vec()
    }

    /// Where chance comes from.
    pub(crate) const fn random(&self) -> &Random {
        &self.around.random
    }

    /// How each target is, in the order of the configuration.
    #[must_use]
    pub fn status(&self) -> Vec<TargetStatus> {
        let targets = self.targets.load();
        targets.iter().map(|target| target.status()).collect()
    }

    /// Holds a target's breaker open or closed, or lets it go. False when there
    /// is no such target.
    pub fn force(&self, name: &str, wish: Option<BreakerState>) -> bool {
        let targets = self.targets.load();
        let found = targets.iter().find(|target| *target.settings.name == *name);
        found.inspect(|target| target.force(wish)).is_some()
    }
}

/// An attempt that failed, before it is decided what follows.
struct Failed {
    failure: Failure,
    facts: UpstreamFacts,
    duration: Duration,
}

#[allow(private_bounds, reason = "generic for its own tests only")]
impl<E: Exchange> Pool<E> {
    async fn attempt(
        &self,
        mut leave: Leave<E>,
        order: &MintOrder,
        deadline: Instant,
        resent: u32,
    ) -> Result<MintedSecret, Failed> {
        let started = Instant::now();
        leave.asks(started);
        let target = Arc::clone(&leave.target);
        let left = deadline.saturating_duration_since(started);
        let asked = Asked {
            span: "POST /realtime/client_secrets",
            upstream: &target.settings.name,
            server: target.exchange.server(),
            resent,
        };
        let left = left.min(target.settings.timeout);
        let exchange = || target.exchange.exchange(order, left);
        let result = traced(asked, exchange, |minted| &minted.upstream).await;
        let duration = started.elapsed();
        let told = |outcome| {
            let observer = &self.around.observer;
            observer.attempted(&target.settings.name, outcome, duration);
        };
        match result {
            Ok(minted) => {
                leave.close(Verdict::Well, None, None);
                told("success");
                Ok(minted)
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

    /// The next attempt, where one is due: who is asked, and after which wait.
    fn next(
        &self,
        course: &mut Course<E>,
        index: usize,
        failed: &Failed,
    ) -> Option<(usize, Leave<E>, Duration)> {
        let remedy = judgement::remedy(failed.failure.fault(), failed.facts.status);
        let next = retry::next(remedy, failed.failure.asked_wait(), &self.retry);
        let random = &self.around.random;
        if next.changes_key {
            course.tried.add(index);
            if let Some((other, leave)) = choice::choose(&course.targets, course.tried, random) {
                return Some((other, leave, Duration::ZERO));
            }
        }
        let Next { wait, .. } = next;
        let wait = wait?.with_jitter(random);
        let left = course.deadline.saturating_duration_since(Instant::now());
        if course.retried || wait >= left {
            return None;
        }
        let elsewhere = next.changes_host.then(|| {
            let others = course.tried.with(index);
            choice::choose(&course.targets, others, random)
        });
        let (index, leave) = match elsewhere.flatten() {
            Some(elsewhere) => elsewhere,
            None => (index, again(course.targets.get(index)?)?),
        };
        // Last, so that nothing is taken out for a retry that is not made.
        course.retried = self.budget.withdraw();
        course.retried.then_some((index, leave, wait))
    }
}

/// Leave to ask a target again that has just failed.
///
/// Only while that failure stands alone: what fails one mint after the other is
/// an outage, and there retries help nobody and double the load.
fn again<E>(target: &Arc<Target<E>>) -> Option<Leave<E>> {
    let alone = target.failures_in_a_row() <= 1;
    alone.then(|| target.admit(Instant::now())).flatten()
}

/// What is known in the middle of a mint.
struct Course<E> {
    targets: Arc<Vec<Arc<Target<E>>>>,
    tried: Tried,
    retried: bool,
    deadline: Instant,
}

#[async_trait]
#[allow(private_bounds, reason = "generic for its own tests only")]
impl<E: Exchange + 'static> Minter for Pool<E> {
    async fn mint(&self, order: MintOrder) -> Result<MintedSecret, Box<MintFailure>> {
        let targets = self.targets.load_full();
        let timeouts = targets.iter().map(|target| target.settings.timeout);
        let longest = timeouts.max().unwrap_or_default().min(order.deadline);
        let mut course = Course {
            targets,
            tried: Tried::default(),
            retried: false,
            deadline: Instant::now() + longest,
        };
        self.budget.deposit();
        let chosen = choice::choose(&course.targets, course.tried, &self.around.random);
        let Some((mut index, mut leave)) = chosen else {
            return Err(nobody_to_ask(&course.targets, &self.around.random));
        };
        let mut sent = 0;
        loop {
            let attempt = self.attempt(leave, &order, course.deadline, sent);
            let failed = match attempt.await {
                Ok(minted) => return Ok(minted),
                Err(failed) => failed,
            };
            let Some((other, other_leave, wait)) = self.next(&mut course, index, &failed) else {
                return Err(failed.failure.into_mint_failure(failed.facts));
            };
            let attempt = failed.failure.to_attempt(&failed.facts, failed.duration);
            order.journal.note_failed(attempt);
            if !wait.is_zero() {
                sleep(wait).await;
            }
            sent += 1;
            (index, leave) = (other, other_leave);
        }
    }
}

/// The refusal while every breaker is open: at once, and nobody is asked.
fn nobody_to_ask<E>(targets: &[Arc<Target<E>>], random: &Random) -> Box<MintFailure> {
    let statuses: Vec<_> = targets.iter().map(|target| target.status()).collect();
    let wait = statuses.iter().filter_map(|status| status.retry_in).min();
    let wait = wait.unwrap_or(Duration::from_secs(1));
    // Up to a fifth more, so that callers do not all come back at once.
    let wait = wait + random.up_to((wait / 5).max(Duration::from_secs(1)));
    let states = statuses.iter().map(|status| {
        let cause = status.cause.map_or("forced", Code::as_str);
        format!("{} is {} ({cause})", status.name, status.breaker.as_str())
    });
    let states = states.collect::<Vec<_>>().join(", ");
    let code = common_cause(targets);
    let refusal = Refusal::new(code, fault::sentence(code))
        .internal(format!("no upstream may be asked: {states}"))
        .retry_after(wait);
    Box::new(MintFailure {
        refusal,
        upstream: UpstreamFacts::default(),
    })
}

/// A key that is refused everywhere is no outage of OpenAI's, and says so.
fn common_cause<E>(targets: &[Arc<Target<E>>]) -> Code {
    let refused = |target: &Arc<Target<E>>| target.cause() == Some(Code::UpstreamKeyRefused);
    if !targets.is_empty() && targets.iter().all(refused) {
        return Code::UpstreamKeyRefused;
    }
    Code::UpstreamUnavailable
}
