//! The result, for people, and whether it is good.
use std::fmt::Write as _;

use anyhow::{Result, ensure};

use super::{agreement::Agreement, meter::Sample};
use crate::{
    machine::Machine,
    markers::{self, Markers},
    report::median,
};

const MARKERS: Markers = Markers {
    begin: "<!-- begin: written by `cargo xtask soak` -->",
    end: "<!-- end: written by `cargo xtask soak` -->",
};

/// Rows of the table.
const ROWS: usize = 10;
/// Differences that are shown.
const SHOWN: usize = 20;
/// A figure may be so much higher in the last third than in the second, as a
/// share and besides: noise, not a leak, which grows with every mint.
const SHARE: f64 = 1.1;
const MEMORY_MB: f64 = 4.0;
const PIECES: f64 = 8.0;

/// Everything a soak found out.
pub(super) struct Report {
    pub(super) date: String,
    pub(super) machine: Machine,
    pub(super) version: String,
    pub(super) minutes: f64,
    /// Requests that met a fault.
    pub(super) faults: u64,
    pub(super) samples: Vec<Sample>,
    pub(super) agreement: Agreement,
}

type Figure = (&'static str, fn(&Sample) -> f64, f64);

const FIGURES: [Figure; 3] = [
    ("memory", |sample| sample.memory_mb, MEMORY_MB),
    ("descriptors", |sample| sample.descriptors as f64, PIECES),
    ("tasks", |sample| sample.tasks as f64, PIECES),
];

impl Report {
    /// Fails where the witnesses disagree or something grew.
    pub(super) fn verdict(&self) -> Result<()> {
        let differences = &self.agreement.differences;
        let shown = differences.iter().take(SHOWN).cloned();
        let shown = shown.collect::<Vec<_>>().join("\n");
        let count = differences.len();
        ensure!(count == 0, "the witnesses differ {count} times:\n{shown}");
        let late = self.agreement.late;
        ensure!(late == 0, "{late} callers waited for ten seconds in vain");
        for (name, figure, besides) in FIGURES {
            let (before, after) = self.thirds(figure);
            let grew = after > before * SHARE + besides;
            ensure!(!grew, "{name} grew from {before:.1} to {after:.1}");
        }
        Ok(())
    }

    /// The medians of the second and of the last third. The first is for caches
    /// that fill.
    fn thirds(&self, figure: fn(&Sample) -> f64) -> (f64, f64) {
        let third = self.samples.len() / 3;
        let of = |samples: &[Sample]| median(samples.iter().map(figure).collect());
        let (second, last) = (third..2 * third, 2 * third..self.samples.len());
        let of = |range| of(self.samples.get(range).unwrap_or_default());
        (of(second).unwrap_or_default(), of(last).unwrap_or_default())
    }

    /// The report as Markdown.
    pub(super) fn render(&self) -> String {
        let mut text = self.setting();
        text.push_str("\n\n| minute | mints asked for | memory MB | descriptors | tasks |\n| --- | --- | --- | --- | --- |\n");
        for sample in self.rows() {
            let minute = sample.at.as_secs_f64() / 60.0;
            let Sample {
                mints,
                memory_mb,
                descriptors,
                tasks,
                ..
            } = sample;
            // Writing into a String does not fail.
            let _ = writeln!(
                text,
                "| {minute:.1} | {mints} | {memory_mb:.1} | {descriptors} | {tasks} |"
            );
        }
        text.push_str(&self.ending());
        text
    }

    fn setting(&self) -> String {
        let Self {
            date,
            machine,
            version,
            minutes,
            faults,
            ..
        } = self;
        format!(
            "{date}, {version}, {} ({} cores), Linux {}: {minutes} minutes of load with a fault every few seconds, which {faults} requests met.",
            machine.processor, machine.cores, machine.kernel
        )
    }

    fn rows(&self) -> impl Iterator<Item = &Sample> {
        let step = (self.samples.len() / ROWS).max(1);
        let last = self.samples.len().saturating_sub(1);
        let rows = self.samples.iter().enumerate();
        rows.filter(move |(at, _)| at % step == 0 || *at == last)
            .map(|(_, sample)| sample)
    }

    fn ending(&self) -> String {
        let mut text = String::from("\nMedians of the second third and of the last: ");
        let figures = FIGURES.map(|(name, figure, _)| {
            let (before, after) = self.thirds(figure);
            format!("{name} {before:.1} and {after:.1}")
        });
        text.push_str(&figures.join(", "));
        let Agreement {
            requests,
            secrets,
            refusals,
            gone,
            unseen,
            late,
            attempts,
            minted,
            orphans,
            marked,
            differences,
        } = &self.agreement;
        let differ = differences.len();
        let _ = write!(
            text,
            ".\n\nThe three witnesses: callers sent {requests} requests and got {secrets} secrets and {refusals} refusals; {gone} hung up in the middle, {unseen} of them before the server looked at the request, and {late} after ten seconds without an answer. The trail has one final record of all others. The simulator saw {attempts} attempts and made {minted} secrets; {orphans} of them reached nobody, and the trail marks {marked} attempts as possible orphans. Differences: {differ}."
        );
        text
    }
}

/// The report put between the markers of a text, or at its end.
pub(super) fn placed(text: &str, report: &str) -> String {
    markers::placed(text, &MARKERS, report)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn report(tasks: impl Fn(u64) -> u64) -> Report {
        let sample = |at| Sample {
            at: Duration::from_secs(at),
            mints: at,
            memory_mb: 90.0,
            descriptors: 30,
            tasks: tasks(at),
        };
        Report {
            date: "2026-01-02".to_owned(),
            machine: Machine {
                processor: "Fast 3000".to_owned(),
                cores: 2,
                kernel: "6.1".to_owned(),
            },
            version: "hallpass 1".to_owned(),
            minutes: 1.0,
            faults: 7,
            samples: (0..60).map(sample).collect(),
            agreement: Agreement::default(),
        }
    }

    #[test]
    fn what_stays_is_good_and_what_grows_is_not() {
        report(|at| 20 + at % 7).verdict().expect("flat");
        let error = report(|at| 20 + at).verdict().expect_err("grows");
        assert!(error.to_string().contains("tasks"), "{error}");
    }

    #[test]
    fn a_difference_is_not_good() {
        let mut report = report(|_| 20);
        report.agreement.differences.push("soak-1: lost".to_owned());
        let error = report.verdict().expect_err("differs").to_string();
        assert!(error.contains("soak-1"), "{error}");
    }

    #[test]
    fn the_table_has_the_last_sample() {
        let text = report(|_| 20).render();
        assert!(text.contains("| 1.0 | 59 | 90.0 | 30 | 20 |"), "{text}");
        assert!(text.contains("Differences: 0."));
    }
}
