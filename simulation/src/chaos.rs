//! What breaks when, by seed.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use turmoil::Sim;

use crate::{rules::Slack, trace::Trace};

/// When the first fault may come, and when all are over.
const SPAN: (u64, u64) = (3_000, 100_000);
/// How long after a fault a replica may still count alone.
const COMES_BACK: Duration = Duration::from_secs(8);

/// Links that break.
const LINKS: [(&str, &str); 7] = [
    ("a", "redis"),
    ("b", "redis"),
    ("a", "database"),
    ("b", "database"),
    ("a", "openai"),
    ("b", "openai"),
    ("a", "b"),
];
/// Hosts that crash, replicas more often.
const HOSTS: [&str; 5] = ["a", "b", "a", "b", "redis"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing gets through.
    Cut(&'static str, &'static str),
    /// Everything waits, and then comes at once.
    Hold(&'static str, &'static str),
    /// The process is gone, and comes back.
    Crash(&'static str),
}

/// One fault, from its beginning to its end.
#[derive(Debug, Clone, Copy)]
struct Planned {
    from: Duration,
    to: Duration,
    fault: Fault,
}

/// The faults of one seed.
pub(crate) struct Chaos {
    planned: Vec<Planned>,
    begun: Vec<bool>,
    ended: Vec<bool>,
}

impl Chaos {
    /// Up to a dozen faults; some seeds have none.
    pub(crate) fn of(seed: u64) -> Self {
        let mut chance = StdRng::seed_from_u64(seed.rotate_left(41) ^ 0x6368_616f);
        let count = chance.random_range(0..=12);
        let mut planned: Vec<Planned> = (0..count).map(|_| draw(&mut chance)).collect();
        planned.sort_by_key(|it| it.from);
        Self {
            begun: vec![false; planned.len()],
            ended: vec![false; planned.len()],
            planned,
        }
    }

    /// Begins and ends what is due.
    pub(crate) fn step(&mut self, sim: &mut Sim<'_>, trace: &Trace) {
        let now = sim.elapsed();
        for index in 0..self.planned.len() {
            let planned = self.planned[index];
            if !self.begun[index] && now >= planned.from {
                self.begun[index] = true;
                trace.note_at(now, format_args!("fault {:?}", planned.fault));
                planned.fault.begin(sim);
            }
            if !self.ended[index] && now >= planned.to {
                self.ended[index] = true;
                trace.note_at(now, format_args!("over {:?}", planned.fault));
                planned.fault.end(sim);
            }
        }
    }

    /// When limits may be exceeded by how much, since someone counted alone.
    pub(crate) fn slack(&self) -> Vec<Slack> {
        let slack = |planned: &Planned| {
            let limits = match planned.fault {
                // Away, and then empty.
                Fault::Crash("redis") => 2,
                // Whoever starts again has forgotten what it counted alone.
                Fault::Crash(_) => 1,
                Fault::Cut(_, "redis") | Fault::Hold(_, "redis") => 1,
                Fault::Cut(..) | Fault::Hold(..) => return None,
            };
            Some(Slack {
                from: planned.from,
                to: planned.to + COMES_BACK,
                limits,
            })
        };
        self.planned.iter().filter_map(slack).collect()
    }
}

fn draw(chance: &mut StdRng) -> Planned {
    let from = chance.random_range(SPAN.0..SPAN.1);
    let lasts = match chance.random_range(0..3) {
        0 => chance.random_range(20..500),
        1 => chance.random_range(500..5_000),
        _ => chance.random_range(5_000..20_000),
    };
    let (one, other) = LINKS[chance.random_range(0..LINKS.len())];
    let fault = match chance.random_range(0..3) {
        0 => Fault::Cut(one, other),
        1 => Fault::Hold(one, other),
        _ => Fault::Crash(HOSTS[chance.random_range(0..HOSTS.len())]),
    };
    Planned {
        from: Duration::from_millis(from),
        to: Duration::from_millis((from + lasts).min(SPAN.1)),
        fault,
    }
}

impl Fault {
    fn begin(self, sim: &mut Sim<'_>) {
        match self {
            Self::Cut(one, other) => sim.partition(one, other),
            Self::Hold(one, other) => sim.hold(one, other),
            Self::Crash(host) => {
                if sim.is_host_running(host) {
                    sim.crash(host);
                }
            }
        }
    }

    fn end(self, sim: &mut Sim<'_>) {
        match self {
            Self::Cut(one, other) => sim.repair(one, other),
            Self::Hold(one, other) => sim.release(one, other),
            Self::Crash(host) => {
                if !sim.is_host_running(host) {
                    sim.bounce(host);
                }
            }
        }
    }
}
