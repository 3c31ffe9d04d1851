//! Which target is asked.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    random::Random,
    target::{Leave, Offer, Target},
};

/// Targets of a pool that one mint has asked already.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tried(u64);

/// Targets beyond this number are never asked; the configuration refuses them.
pub const MAX_TARGETS: usize = 64;

impl Tried {
    /// Notes one.
    pub(crate) const fn add(&mut self, index: usize) {
        *self = self.with(index);
    }

    /// These, and one more.
    pub(crate) const fn with(self, index: usize) -> Self {
        Self(self.0 | 1 << (index % MAX_TARGETS))
    }

    const fn has(self, index: usize) -> bool {
        self.0 & 1 << (index % MAX_TARGETS) != 0
    }
}

/// How gladly a target is asked, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// One call finds out whether it is back.
    Probe,
    /// It takes its share.
    Sharing,
    /// It is asked where no other can be.
    Spare,
    /// It wants a rest; the one whose rest ends first.
    Resting(Instant),
}

/// Leave to ask the best target not yet tried.
pub(crate) fn choose<E>(
    targets: &[Arc<Target<E>>],
    mut tried: Tried,
    random: &Random,
) -> Option<(usize, Leave<E>)> {
    let now = Instant::now();
    loop {
        let index = best(targets, tried, now, random)?;
        if let Some(leave) = targets.get(index)?.admit(now) {
            return Some((index, leave));
        }
        // Another mint took the probe's place in between.
        tried.add(index);
    }
}

fn best<E>(
    targets: &[Arc<Target<E>>],
    tried: Tried,
    now: Instant,
    random: &Random,
) -> Option<usize> {
    let open = || {
        let untried = targets
            .iter()
            .enumerate()
            .take(MAX_TARGETS)
            .filter(|(index, _)| !tried.has(*index));
        untried.filter_map(|(index, target)| {
            let rank = rank(target.offer(now), target.settings.weight)?;
            Some((index, rank, u64::from(target.settings.weight)))
        })
    };
    let (first, rank, _) = open().min_by_key(|(index, rank, _)| (*rank, *index))?;
    if rank != Rank::Sharing || targets.len() == 1 {
        return Some(first);
    }
    let sharing = || open().filter(|(_, rank, _)| *rank == Rank::Sharing);
    let whole: u64 = sharing().map(|(_, _, weight)| weight).sum();
    let mut drawn = random.below(whole);
    for (index, _, weight) in sharing() {
        if drawn < weight {
            return Some(index);
        }
        drawn -= weight;
    }
    Some(first)
}

fn rank(offer: Offer, weight: u32) -> Option<Rank> {
    match offer {
        Offer::Probe => Some(Rank::Probe),
        Offer::Ready if weight == 0 => Some(Rank::Spare),
        Offer::Ready => Some(Rank::Sharing),
        Offer::Resting(until) => Some(Rank::Resting(until)),
        Offer::Refused(_) => None,
    }
}
