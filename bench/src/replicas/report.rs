//! The tables, and whether revocations reach every replica in time.
use std::fmt::Write as _;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::reach::Reach;
use crate::{
    load::Sample,
    machine::Machine,
    markers::{self, Markers},
    report::median,
};

const MARKERS: Markers = Markers {
    begin: "<!-- begin: written by `cargo xtask bench replicas` -->",
    end: "<!-- end: written by `cargo xtask bench replicas` -->",
};
/// How late the last request may be accepted, or a session closed, for 99 of
/// 100 revocations.
const REACH_MS: f64 = 1000.0;

/// What was measured: by itself, or so many replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Arrangement {
    Embedded,
    Distributed(usize),
}

/// One measurement.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) round: usize,
    pub(super) arrangement: Arrangement,
    pub(super) connections: usize,
    #[serde(flatten)]
    pub(super) sample: Sample,
    /// Processor time of PostgreSQL for each mint.
    pub(super) postgres_ms: f64,
    /// The same of Redis.
    pub(super) redis_ms: f64,
}

/// Everything a run found out.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) date: String,
    pub(super) machine: Machine,
    pub(super) pinned: bool,
    pub(super) version: String,
    pub(super) stores: String,
    pub(super) rounds: usize,
    pub(super) seconds: f64,
    pub(super) connections: Vec<usize>,
    pub(super) arrangements: Vec<Arrangement>,
    pub(super) measured: Vec<Measured>,
    pub(super) replicas: usize,
    pub(super) reach: Reach,
}

impl Arrangement {
    fn name(self) -> String {
        match self {
            Self::Embedded => "1, embedded".to_owned(),
            Self::Distributed(count) => format!("{count}, distributed"),
        }
    }
}

impl Report {
    /// The report as Markdown.
    pub(super) fn render(&self) -> String {
        let mut text = self.setting();
        for connections in &self.connections {
            let plural = if *connections == 1 { "" } else { "s" };
            let _ = write!(
                text,
                "\n\n**{connections} connection{plural}**\n\n| replicas | mints/s | p50 ms | p99 ms | added p50 ms | CPU ms a mint: Hallpass | PostgreSQL | Redis | core busy % |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|"
            );
            for arrangement in &self.arrangements {
                self.row(*arrangement, *connections, &mut text);
            }
        }
        self.reach(&mut text);
        text
    }

    fn setting(&self) -> String {
        let Self {
            date,
            machine,
            version,
            stores,
            rounds,
            seconds,
            ..
        } = self;
        let cores = if self.pinned {
            "all replicas, PostgreSQL and Redis share one core, load generator and simulated upstream the other: this shows what agreeing costs, not what further machines add"
        } else {
            "everything shares one core"
        };
        format!(
            "{date}, {version}, {stores} (a commit waits for the disk), {} ({} cores), Linux {}; {cores}; loopback, no balancer between; interleaved rounds: {rounds}, {seconds} s each, medians.",
            machine.processor, machine.cores, machine.kernel
        )
    }

    fn row(&self, arrangement: Arrangement, connections: usize, text: &mut String) {
        let figure = |of: fn(&Measured) -> f64| self.median(arrangement, connections, of);
        let added = self.added(arrangement, connections);
        let busy = figure(|it| {
            let stores = (it.postgres_ms + it.redis_ms) * it.sample.requests_per_second / 10.0;
            it.sample.server_busy + stores
        });
        // Writing into a String does not fail.
        let _ = write!(
            text,
            "\n| {} | {:.0} | {:.2} | {:.2} | {added:.2} | {:.3} | {:.3} | {:.3} | {busy:.0} |",
            arrangement.name(),
            figure(|it| it.sample.requests_per_second),
            figure(|it| it.sample.p50_ms),
            figure(|it| it.sample.p99_ms),
            figure(|it| it.sample.cpu_ms),
            figure(|it| it.postgres_ms),
            figure(|it| it.redis_ms),
        );
    }

    fn median(&self, at: Arrangement, connections: usize, of: fn(&Measured) -> f64) -> f64 {
        let found = self.measured.iter();
        let found = found.filter(|it| it.arrangement == at && it.connections == connections);
        median(found.map(of).collect()).unwrap_or_default()
    }

    /// The median of what was added to the embedded one's in the same round.
    fn added(&self, at: Arrangement, connections: usize) -> f64 {
        let of = |at, round| {
            let mut found = self.measured.iter();
            let is = |it: &&Measured| {
                (it.arrangement, it.connections, it.round) == (at, connections, round)
            };
            found.find(is).map(|it| it.sample.p50_ms)
        };
        let pairs = (0..self.rounds)
            .filter_map(|round| Some(of(at, round)? - of(Arrangement::Embedded, round)?));
        let added = median(pairs.collect()).unwrap_or_default();
        // No minus zero.
        if added.abs() < 0.005 { 0.0 } else { added }
    }

    fn reach(&self, text: &mut String) {
        let (times, replicas) = (self.reach.answer_ms.len(), self.replicas);
        let _ = write!(
            text,
            "\n\n**A revocation's reach**: {times} people revoked one after the other over {replicas} replicas, each in turn. The person asks every replica every 2 ms, and has a live session on a replica that did not take the revocation.\n\n| from | to | p50 ms | p99 ms | max ms |\n|---|---|---:|---:|---:|"
        );
        let rows = [
            ("its sending", "its answer", &self.reach.answer_ms),
            (
                "its answer",
                "the last request accepted by any replica",
                &self.reach.accepted_ms,
            ),
            (
                "its answer",
                "the end of the live session",
                &self.reach.closed_ms,
            ),
            ("its sending", "the last of all", &self.reach.whole_ms),
        ];
        for (from, to, times) in rows {
            let at = |share| quantile(times, share);
            let (p50, p99, max) = (at(0.5), at(0.99), at(1.0));
            let _ = write!(text, "\n| {from} | {to} | {p50:.0} | {p99:.0} | {max:.0} |");
        }
    }

    /// Fails where revocations are too late.
    pub(super) fn verdict(&self) -> Result<()> {
        for (what, times) in [
            ("a request was accepted", &self.reach.accepted_ms),
            ("a session was open", &self.reach.closed_ms),
        ] {
            let p99 = quantile(times, 0.99);
            ensure!(
                p99 <= REACH_MS,
                "{what} {p99:.0} ms after the revocation's answer; the 99th percentile may be {REACH_MS:.0} ms"
            );
        }
        Ok(())
    }
}

/// The smallest value that this share is not above.
fn quantile(times: &[f64], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(at.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// The report put between the markers of a text, or at its end.
pub(super) fn placed(text: &str, report: &str) -> String {
    markers::placed(text, &MARKERS, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(round: usize, arrangement: Arrangement, p50_ms: f64) -> Measured {
        Measured {
            round,
            arrangement,
            connections: 16,
            sample: Sample {
                p50_ms,
                requests_per_second: 1000.0,
                server_busy: 60.0,
                ..Sample::default()
            },
            postgres_ms: 0.2,
            redis_ms: 0.05,
        }
    }

    fn report() -> Report {
        let arrangements = vec![Arrangement::Embedded, Arrangement::Distributed(3)];
        let times = |from: usize| (from..from + 100).map(|ms| ms as f64).collect::<Vec<_>>();
        Report {
            date: "2026-01-02".to_owned(),
            machine: Machine {
                processor: "Fast 3000".to_owned(),
                cores: 2,
                kernel: "6.1".to_owned(),
            },
            pinned: true,
            version: "hallpass 1".to_owned(),
            stores: "PostgreSQL 15, Redis 7".to_owned(),
            rounds: 2,
            seconds: 3.0,
            connections: vec![16],
            measured: vec![
                measured(0, Arrangement::Embedded, 1.0),
                measured(0, Arrangement::Distributed(3), 3.0),
                measured(1, Arrangement::Embedded, 2.0),
                measured(1, Arrangement::Distributed(3), 5.0),
            ],
            arrangements,
            replicas: 3,
            reach: Reach {
                answer_ms: times(1),
                accepted_ms: times(100),
                closed_ms: times(900),
                whole_ms: times(200),
            },
        }
    }

    #[test]
    fn a_row_tells_what_is_added_and_how_busy_the_core_is() {
        let text = report().render();
        let row = text
            .lines()
            .find(|line| line.starts_with("| 3, distributed"));
        let row = row.expect("a row");
        assert!(
            row.contains("| 4.00 |") && row.contains("| 2.50 |"),
            "{row}"
        );
        assert!(row.ends_with("| 85 |"), "{row}");
        assert!(
            text.contains("| its sending | its answer | 50 | 99 | 100 |"),
            "{text}"
        );
    }

    #[test]
    fn a_second_is_enough_for_99_of_100_and_more_is_not() {
        let mut report = report();
        report.verdict().expect("998 ms are enough");
        report.reach.closed_ms.iter_mut().for_each(|ms| *ms += 3.0);
        let error = report.verdict().expect_err("1001 ms are not");
        assert!(error.to_string().contains("1001 ms"), "{error}");
    }
}
