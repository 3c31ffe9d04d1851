//! Medians over the rounds, and ratios within each.
pub(crate) mod markdown;

use std::fmt;

use serde::Serialize;

use crate::{disk::Syncs, load::Sample, machine::Machine, peers::Peer};

/// Everything a run found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    pub(crate) machine: Machine,
    /// Whether server and load generator had a core each.
    pub(crate) pinned: bool,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) levels: Vec<Level>,
    pub(crate) measured: Vec<Measured>,
    pub(crate) syncs: Vec<Syncs>,
}

/// A server that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Subject {
    pub(crate) peer: Peer,
    pub(crate) job: &'static str,
    pub(crate) version: String,
}

/// How hard the servers were driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Level {
    pub(crate) connections: usize,
    pub(crate) upstream_ms: u64,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.connections == 1 { "" } else { "s" };
        write!(f, "{} connection{plural}", self.connections)?;
        if self.upstream_ms > 0 {
            write!(f, ", upstream {} ms", self.upstream_ms)?;
        }
        Ok(())
    }
}

/// One measurement.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) round: usize,
    pub(crate) level: Level,
    pub(crate) peer: Peer,
    #[serde(flatten)]
    pub(crate) sample: Sample,
}

impl Report {
    /// The median of a figure; nothing where the peer was not measured.
    pub(crate) fn median(&self, level: Level, peer: Peer, figure: Figure) -> Option<f64> {
        median(
            self.of(level, peer)
                .map(|found| figure(&found.sample))
                .collect(),
        )
    }

    /// The median of a figure set against the bare forwarder's, each pair from
    /// one round, since the machine drifts from round to round.
    pub(crate) fn against_forwarder(
        &self,
        level: Level,
        peer: Peer,
        figure: Figure,
        set_against: fn(f64, f64) -> f64,
    ) -> Option<f64> {
        let pairs = self.of(level, peer).filter_map(|found| {
            let mut floors = self.of(level, Peer::Forwarder);
            let floor = floors.find(|floor| floor.round == found.round)?;
            Some(set_against(figure(&found.sample), figure(&floor.sample)))
        });
        median(pairs.collect())
    }

    fn of(&self, level: Level, peer: Peer) -> impl Iterator<Item = &Measured> {
        self.measured
            .iter()
            .filter(move |found| found.level == level && found.peer == peer)
    }
}

/// One figure of a sample.
pub(crate) type Figure = fn(&Sample) -> f64;

/// The middle value, or the mean of the middle two.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *values.get(values.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const LEVEL: Level = Level {
        connections: 16,
        upstream_ms: 0,
    };

    fn measured(round: usize, peer: Peer, cpu_ms: f64) -> Measured {
        Measured {
            round,
            level: LEVEL,
            peer,
            sample: Sample {
                cpu_ms,
                ..Sample::default()
            },
        }
    }

    /// Three rounds, in the second of which the machine was twice as slow.
    pub(crate) fn report() -> Report {
        let subject = |peer: Peer| Subject {
            peer,
            job: peer.job(),
            version: "1".to_owned(),
        };
        Report {
            date: "2026-01-02".to_owned(),
            machine: Machine {
                processor: "Fast 3000".to_owned(),
                cores: 2,
                kernel: "6.1".to_owned(),
            },
            pinned: true,
            rounds: 3,
            seconds: 3.0,
            subjects: vec![subject(Peer::Hallpass), subject(Peer::Forwarder)],
            levels: vec![LEVEL],
            measured: vec![
                measured(0, Peer::Hallpass, 0.08),
                measured(0, Peer::Forwarder, 0.04),
                measured(1, Peer::Forwarder, 0.08),
                measured(1, Peer::Hallpass, 0.16),
                measured(2, Peer::Hallpass, 0.12),
                measured(2, Peer::Forwarder, 0.04),
            ],
            syncs: vec![Syncs {
                per_second: 5000.0,
                p50_us: 180.0,
            }],
        }
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn a_ratio_pairs_what_one_round_measured() {
        let report = report();
        let cpu: Figure = |sample| sample.cpu_ms;
        let ratio = |peer| report.against_forwarder(LEVEL, peer, cpu, |a, b| a / b);

        assert_eq!(report.median(LEVEL, Peer::Hallpass, cpu), Some(0.12));
        assert_eq!(ratio(Peer::Hallpass), Some(2.0));
        assert_eq!(ratio(Peer::Forwarder), Some(1.0));
        assert_eq!(ratio(Peer::Nginx), None);
    }
}
