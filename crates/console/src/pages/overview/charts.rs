//! The overview's charts.

use hallpass_core::Timestamp;

use super::Range;
use crate::{
    live::{Chart, Line, Live},
    text::grouped,
    timeline::Minute,
    visit::Visit,
};

/// One line: what it is, its colour, and its number in a group of minutes.
pub(crate) type Drawn = (&'static str, &'static str, fn(&Minute) -> u64);

const CHARTS: [(&str, &str, &[Drawn]); 3] = [
    (
        "issued",
        "Client secrets issued",
        &[("issued", "accent", |minute| minute.issued)],
    ),
    (
        "troubles",
        "Requests refused and failed",
        &[
            ("failed", "bad", |minute| minute.failed),
            ("refused", "warn", |minute| minute.refused),
        ],
    ),
    (
        "ends",
        "How sessions ended",
        &[
            ("closed", "good", |minute| minute.closed),
            ("expired", "warn", |minute| minute.expired),
            ("dropped", "bad", |minute| minute.dropped),
            ("ended by rule", "soft", |minute| minute.ended),
        ],
    ),
];

/// Sets the charts of a range.
pub(super) fn fill(visit: &Visit, live: &mut Live, range: Range) {
    let (minutes, step) = range.minutes();
    let groups = visit.console.timeline().groups(minutes, step, visit.now());
    let axis = Axis {
        past: range.past(),
        step: range.step(),
        label: "%H:%M",
    };
    live.charts.extend(charts(&groups, &axis));
}

/// The charts of what is counted, whatever the points are.
pub(crate) fn charts(groups: &[(Timestamp, Minute)], axis: &Axis) -> Vec<Chart> {
    let drawn = CHARTS.iter();
    drawn
        .map(|(name, title, lines)| draw((*name, *title), lines, groups, axis))
        .collect()
}

/// What the points of a chart are.
pub(crate) struct Axis {
    /// How all of them together are called.
    pub(crate) past: &'static str,
    /// What one of them is.
    pub(crate) step: &'static str,
    /// How its time is written.
    pub(crate) label: &'static str,
}

/// One chart of some lines.
pub(crate) fn draw(
    (name, title): (&'static str, &'static str),
    drawn: &[Drawn],
    groups: &[(Timestamp, Minute)],
    axis: &Axis,
) -> Chart {
    let line = |(label, tone, number): &Drawn| Line {
        label,
        tone,
        values: groups.iter().map(|(_, sum)| number(sum)).collect(),
    };
    let lines: Vec<Line> = drawn.iter().map(line).collect();
    Chart {
        name,
        title,
        summary: summary(&lines, axis),
        times: groups.iter().map(|(time, _)| time.as_second()).collect(),
        labels: groups
            .iter()
            .map(|(time, _)| time.strftime(axis.label).to_string())
            .collect(),
        lines,
    }
}

/// What the picture says: of each line its sum, of a single one its highest.
fn summary(lines: &[Line], axis: &Axis) -> String {
    let sum = |line: &Line| line.values.iter().sum::<u64>();
    let told = lines
        .iter()
        .map(|line| format!("{} {}", grouped(sum(line)), line.label));
    let told = told.collect::<Vec<_>>().join(", ");
    let most = match lines {
        [line] => {
            let most = line.values.iter().max().copied().unwrap_or(0);
            format!(", at most {} in {}", grouped(most), axis.step)
        }
        _ => String::new(),
    };
    format!("{}: {told}{most}.", axis.past)
}
