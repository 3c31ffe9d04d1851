//! The table, and whether goodput was kept.
use std::fmt::Write as _;

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;

use super::{open_loop::Taken, probes::Probes};
use crate::{
    machine::Machine,
    markers::{self, Markers},
};

const MARKERS: Markers = Markers {
    begin: "<!-- begin: written by `cargo xtask bench overload` -->",
    end: "<!-- end: written by `cargo xtask bench overload` -->",
};

/// One level of load.
pub(super) struct Offered {
    /// Of the capacity.
    pub(super) times: f64,
    /// Requests a second.
    pub(super) rate: f64,
    pub(super) taken: Taken,
    pub(super) probes: Probes,
}

/// Everything a run found out.
pub(super) struct Report {
    pub(super) date: String,
    pub(super) machine: Machine,
    pub(super) version: String,
    pub(super) upstream_ms: u64,
    pub(super) seconds: f64,
    /// Mints a second in a closed loop.
    pub(super) capacity: f64,
    pub(super) levels: Vec<Offered>,
}

impl Offered {
    fn goodput(&self) -> f64 {
        self.taken.accepted_us.len() as f64 / self.taken.seconds
    }
}

impl Report {
    /// The best of the closed loop and all levels.
    fn best(&self) -> f64 {
        let goodputs = self.levels.iter().map(Offered::goodput);
        goodputs.fold(self.capacity, f64::max)
    }

    /// Fails where a level keeps less than this share of the best, or health
    /// and admin were not answered.
    pub(super) fn verdict(&self, kept: f64) -> Result<()> {
        for level in &self.levels {
            let (times, share) = (level.times, level.goodput() / self.best());
            // Below capacity, what is offered bounds what can be served.
            let enough = share >= kept * times.min(1.0);
            ensure!(
                enough,
                "at {times} times capacity goodput is {share:.2} of the best"
            );
            let failed = level.probes.failed;
            ensure!(
                failed == 0,
                "at {times} times capacity {failed} probes failed"
            );
        }
        Ok(())
    }

    /// The report as Markdown.
    pub(super) fn render(&self) -> String {
        let Self {
            date,
            machine,
            version,
            upstream_ms,
            seconds,
            capacity,
            ..
        } = self;
        let mut text = format!(
            "{date}, {version}, {} ({} cores), Linux {}; server on one core; upstream {upstream_ms} ms, default limits; {seconds} s a level. Capacity, in a closed loop: {capacity:.0} mints a second.\n\n| arriving, × capacity | arriving/s | secrets/s | of the best % | refused/s | p50 ms | p99 ms | refused p99 ms | failed | health and admin, slowest ms | not answered |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
            machine.processor, machine.cores, machine.kernel
        );
        for level in &self.levels {
            self.row(level, &mut text);
        }
        text.push_str("\nLatency counts from the moment a request was due. Refused is 503 `overloaded` with `Retry-After`, after waiting for a place for 100 ms. \"Failed\" is any other answer, or none.");
        text
    }

    fn row(&self, level: &Offered, text: &mut String) {
        let Offered {
            times,
            rate,
            taken,
            probes,
        } = level;
        let goodput = level.goodput();
        let share = goodput * 100.0 / self.best();
        let refused = taken.refused_us.len() as f64 / taken.seconds;
        let ms = |latencies: &Histogram<u64>, quantile| {
            latencies.value_at_quantile(quantile) as f64 / 1e3
        };
        let (p50, p99) = (ms(&taken.accepted_us, 0.5), ms(&taken.accepted_us, 0.99));
        let refused_p99 = ms(&taken.refused_us, 0.99);
        let failed = taken.failed + taken.unsent;
        let slowest = probes.slowest.as_secs_f64() * 1e3;
        let (lost, sent) = (probes.failed, probes.sent);
        // Writing into a String does not fail.
        let _ = writeln!(
            text,
            "| {times} | {rate:.0} | {goodput:.0} | {share:.0} | {refused:.0} | {p50:.1} | {p99:.1} | {refused_p99:.1} | {failed} | {slowest:.0} | {lost} of {sent} |"
        );
    }
}

/// The report put between the markers of a text, or at its end.
pub(super) fn placed(text: &str, report: &str) -> String {
    markers::placed(text, &MARKERS, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(accepted: u64) -> Report {
        let mut accepted_us = Histogram::new(3).expect("a histogram");
        accepted_us.record_n(160_000, accepted).expect("recorded");
        let refused_us = Histogram::new(3).expect("a histogram");
        Report {
            date: "2026-01-02".to_owned(),
            machine: Machine {
                processor: "Fast 3000".to_owned(),
                cores: 2,
                kernel: "6.1".to_owned(),
            },
            version: "hallpass 1".to_owned(),
            upstream_ms: 150,
            seconds: 1.0,
            capacity: 1000.0,
            levels: vec![Offered {
                times: 3.0,
                rate: 3000.0,
                taken: Taken {
                    seconds: 1.0,
                    accepted_us,
                    refused_us,
                    failed: 0,
                    unsent: 0,
                },
                probes: Probes::default(),
            }],
        }
    }

    #[test]
    fn nine_tenths_are_enough_and_less_is_not() {
        report(900).verdict(0.9).expect("enough");
        let error = report(890).verdict(0.9).expect_err("too few");
        assert!(error.to_string().contains("0.89"), "{error}");
    }

    #[test]
    fn health_must_answer() {
        let mut report = report(1000);
        report.levels[0].probes.failed = 1;
        assert!(report.verdict(0.9).is_err());
    }

    #[test]
    fn a_level_is_a_row() {
        let text = report(900).render();
        assert!(
            text.contains("| 3 | 3000 | 900 | 90 | 0 | 160.1 |"),
            "{text}"
        );
    }
}
