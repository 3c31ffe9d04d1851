//! The report as Markdown tables, padded so that they read well unrendered.
use super::{Figure, Level, Report, Subject, median};
use crate::markers::{self, Markers};

const MARKERS: Markers = Markers {
    begin: "<!-- begin: written by `cargo xtask bench mint` -->",
    end: "<!-- end: written by `cargo xtask bench mint` -->",
};

/// Heading, figure, decimals.
const COLUMNS: &[(&str, Figure, usize)] = &[
    ("requests/s", |sample| sample.requests_per_second, 0),
    ("p50 ms", |sample| sample.p50_ms, 2),
    ("p99 ms", |sample| sample.p99_ms, 2),
    ("CPU ms/request", |sample| sample.cpu_ms, 4),
    ("core busy %", |sample| sample.server_busy, 0),
    ("load busy %", |sample| sample.load_busy, 0),
    ("memory MB", |sample| sample.memory_mb, 1),
];

/// The whole report.
pub(crate) fn render(report: &Report) -> String {
    let mut parts = vec![setting(report), subjects(report)];
    for level in &report.levels {
        parts.push(format!("**{level}**"));
        parts.push(table(&level_rows(report, *level)));
    }
    parts.push(notes());
    parts.join("\n\n")
}

/// The report put between the markers of a text, or at its end.
pub(crate) fn placed(text: &str, report: &Report) -> String {
    markers::placed(text, &MARKERS, &render(report))
}

fn setting(report: &Report) -> String {
    let Report {
        date,
        machine,
        rounds,
        seconds,
        ..
    } = report;
    let cores = if report.pinned {
        "server on one core, load generator and simulated upstream on another"
    } else {
        "server, load generator and simulated upstream on one core"
    };
    let rate = median(report.syncs.iter().map(|sync| sync.per_second).collect());
    let p50 = median(report.syncs.iter().map(|sync| sync.p50_us).collect());
    format!(
        "{date}, {} ({} cores), Linux {}; {cores}; loopback; interleaved rounds: {rounds}, {seconds} s a level, medians. \
         The disk by itself: append 400 bytes and fdatasync, one by one, {:.0} a second, p50 {:.0} µs.",
        machine.processor,
        machine.cores,
        machine.kernel,
        rate.unwrap_or_default(),
        p50.unwrap_or_default(),
    )
}

fn subjects(report: &Report) -> String {
    let mut rows = vec![words(&["server", "version", "what it does"])];
    let row = |subject: &Subject| words(&[subject.peer.name(), &subject.version, subject.job]);
    rows.extend(report.subjects.iter().map(row));
    table(&rows)
}

fn notes() -> String {
    "\"CPU × forwarder\" and \"added p50 ms\" compare with the bare axum + hyper forwarder in the same round. \
     Memory is the peak of resident memory since the server's start, levels run upwards. \
     Where \"load busy\" nears 100 % and \"core busy\" does not, requests a second show the load generator's limit."
        .to_owned()
}

fn level_rows(report: &Report, level: Level) -> Vec<Vec<String>> {
    let mut heading = words(&["server"]);
    heading.extend(COLUMNS.iter().map(|(name, ..)| (*name).to_owned()));
    heading.extend(words(&["CPU × forwarder", "added p50 ms"]));
    let rows = report
        .subjects
        .iter()
        .map(|subject| row(report, level, subject));
    std::iter::once(heading).chain(rows).collect()
}

fn row(report: &Report, level: Level, subject: &Subject) -> Vec<String> {
    let peer = subject.peer;
    let mut cells = words(&[peer.name()]);
    for (_, figure, decimals) in COLUMNS {
        cells.push(number(report.median(level, peer, *figure), *decimals));
    }
    let cpu = report.against_forwarder(level, peer, |sample| sample.cpu_ms, |a, b| a / b);
    let p50 = report.against_forwarder(level, peer, |sample| sample.p50_ms, |a, b| a - b);
    cells.extend([number(cpu, 2), number(p50, 2)]);
    cells
}

fn number(value: Option<f64>, decimals: usize) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    let shown = format!("{value:.decimals$}");
    // A small negative difference would be shown as -0.00.
    match shown.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        _ => shown,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A table of which the first row is the heading.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|column| width(rows, column)).collect();
    let mut lines: Vec<String> = rows.iter().map(|row| line(row, &widths)).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    lines.insert(1.min(lines.len()), line(&rule, &widths));
    lines.join("\n")
}

fn width(rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(column));
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths);
    let padded: Vec<String> = cells
        .map(|(cell, width)| format!("{cell:<width$}"))
        .collect();
    format!("| {} |", padded.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn the_table_has_a_row_for_each_server_with_its_ratio() {
        let text = render(&report());

        let mut row = text.lines().filter(|line| line.starts_with("| Hallpass"));
        let cells: Vec<&str> = row
            .next_back()
            .expect("a row")
            .split('|')
            .map(str::trim)
            .collect();
        assert_eq!(cells[5], "0.1200");
        assert_eq!(cells[9], "2.00");
        assert!(text.contains("**16 connections**"));
        assert!(text.contains("5000 a second, p50 180 µs"));
    }

    #[test]
    fn numbers_are_rounded_and_never_minus_zero() {
        assert_eq!(number(Some(1.255), 1), "1.3");
        assert_eq!(number(Some(-0.001), 2), "0.00");
        assert_eq!(number(Some(-0.01), 2), "-0.01");
        assert_eq!(number(None, 2), "-");
    }

    #[test]
    fn every_line_of_a_table_is_as_wide_as_its_heading() {
        let table = table(&[words(&["a", "b×"]), words(&["long cell", "1"])]);

        let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths, [widths[0]; 3]);
    }

    #[test]
    fn only_what_lies_between_the_markers_is_replaced() {
        let first = placed("# Performance\n", &report());
        let text = first.replace("Fast 3000", "Slow 1") + "\nAfter.\n";

        let again = placed(&text, &report());

        assert_eq!(again, first.clone() + "\nAfter.\n");
        assert!(first.starts_with("# Performance\n\n<!-- begin"));
    }
}
