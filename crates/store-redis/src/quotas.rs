//! Rate limits that all replicas count together.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use hallpass_core::{
    ports::{Quotas, StoreError, TakeError},
    quota::{self, Charge, Exceeded, LimitState},
};

use crate::{
    link::Link,
    names::Tag,
    script::{Call, Script, script},
};

static TAKE: Script = script!("quotas.lua");
static REFUND: Script = script!("refund.lua");

/// Tells microseconds of a clock that never goes back.
type Monotonic = Box<dyn Fn() -> u64 + Send + Sync>;

/// Counts by GCRA in Redis.
///
/// On one server, a request's limits are taken by one script, all or none. On
/// a cluster the limits of a caller, of a profile and of everyone lie on up to
/// three servers, where no step is atomic: they are taken one after the other,
/// the caller's first, and given back when a later one refuses. So a refused request takes nothing
/// there either; in the moment between, others may be refused that need not
/// be, and a replica that dies in it leaves the charge taken. Nobody is let
/// through who should not be.
pub struct RedisQuotas {
    link: Arc<Link>,
    now: Option<Monotonic>,
}

impl RedisQuotas {
    /// Counts by the server's time.
    #[must_use]
    pub fn new(link: Arc<Link>) -> Self {
        Self { link, now: None }
    }

    /// Counts by a clock of the caller's, in microseconds; for tests, and where
    /// all callers share a clock.
    #[must_use]
    pub fn with_clock(link: Arc<Link>, now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let now: Monotonic = Box::new(now);
        Self {
            link,
            now: Some(now),
        }
    }

    fn time(&self) -> String {
        self.now
            .as_ref()
            .map(|now| now().to_string())
            .unwrap_or_default()
    }

    async fn take_group(&self, group: &[Charge]) -> Result<Vec<LimitState>, TakeError> {
        let mut call = Call::on(group.iter().map(name)).with(self.time());
        for charge in group {
            let rate = charge.rate;
            call = call.with(rate.interval_micros()).with(rate.burst_micros());
        }
        let answer: Vec<u64> = self.link.run(&TAKE, &call).await?;
        match answer.split_first() {
            Some((1, used)) if used.len() == group.len() => {
                let states = group.iter().zip(used);
                Ok(states.map(|(charge, used)| state(charge, *used)).collect())
            }
            Some((0, &[refused, wait, used])) => {
                let refused = usize::try_from(refused).unwrap_or(0);
                let charge = group.get(refused.wrapping_sub(1)).ok_or_else(odd)?;
                Err(TakeError::Exceeded(Exceeded {
                    state: state(charge, used),
                    wait: Duration::from_micros(wait),
                }))
            }
            _ => Err(odd().into()),
        }
    }

    async fn refund(&self, group: &[Charge]) -> Result<(), StoreError> {
        let mut call = Call::on(group.iter().map(name)).with(self.time());
        for charge in group {
            call = call.with(charge.rate.interval_micros());
        }
        self.link.run::<u64>(&REFUND, &call).await.map(drop)
    }

    /// The charges that one script can take.
    fn groups(&self, charges: &[Charge]) -> Vec<Vec<Charge>> {
        if !self.link.is_cluster() {
            return vec![charges.to_vec()];
        }
        // "c" comes first, and most refusals with it.
        let mut groups: BTreeMap<Tag, Vec<Charge>> = BTreeMap::new();
        for charge in charges {
            let group = groups.entry(Tag::of_limit(&charge.key)).or_default();
            group.push(charge.clone());
        }
        groups.into_values().collect()
    }
}

#[async_trait]
impl Quotas for RedisQuotas {
    async fn take(&self, charges: &[Charge]) -> Result<Vec<LimitState>, TakeError> {
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        let groups = self.groups(charges);
        let mut states = Vec::with_capacity(charges.len());
        for (taken, group) in groups.iter().enumerate() {
            match self.take_group(group).await {
                Ok(more) => states.extend(more),
                Err(refusal) => {
                    for earlier in &groups[..taken] {
                        // Unheard, it stays charged, which errs on the safe side.
                        let _ = self.refund(earlier).await;
                    }
                    return Err(refusal);
                }
            }
        }
        // In the order in which they were asked for.
        states.sort_by_key(|state| charges.iter().position(|it| it.name == state.name));
        Ok(states)
    }
}

fn name(charge: &Charge) -> String {
    Tag::limit(&charge.key)
}

/// Redis tells how far the limit's time lies ahead, which is all there is to it.
fn state(charge: &Charge, used: u64) -> LimitState {
    quota::state(charge.name, used, 0, charge.rate)
}

fn odd() -> StoreError {
    StoreError("Redis answered something else than the limits' script does".to_owned())
}
