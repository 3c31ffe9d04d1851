//! The figures as Markdown.
use std::fmt::Write;

use super::{
    Idle, Peer, Report, Sample,
    besides::{Ended, Minted},
};

const BEGIN: &str = "<!-- begin: written by `cargo xtask bench relay` -->";
const END: &str = "<!-- end: written by `cargo xtask bench relay` -->";

/// The report put between the markers of a text, or at its end.
pub(super) fn placed(text: &str, report: &Report) -> String {
    let block = format!("{BEGIN}\n\n{}\n\n{END}", render(report));
    let around = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    match around {
        Some((before, after)) => format!("{before}{block}{after}"),
        None => format!("{}\n\n{block}\n", text.trim_end()),
    }
}

/// The whole report.
pub(super) fn render(report: &Report) -> String {
    let mut text = setting(report);
    let mut levels: Vec<usize> = report
        .samples
        .iter()
        .map(|sample| sample.sessions)
        .collect();
    levels.sort_unstable();
    levels.dedup();
    for level in levels {
        level_table(&mut text, report, level);
    }
    idle_table(&mut text, report);
    besides(&mut text, report);
    text.trim_end().to_owned()
}

fn setting(report: &Report) -> String {
    let Report {
        date,
        machine,
        rounds,
        seconds,
        ..
    } = report;
    let mut text = format!(
        "{date}, {} ({} cores), Linux {}; relay on one core, clients and simulated upstream on another; loopback, plain on both legs; 20 frames a second each way of 6 KB; interleaved rounds: {rounds}, {seconds} s a level, medians.\n\n| relay | version | what it does |\n| --- | --- | --- |\n",
        machine.processor, machine.cores, machine.kernel
    );
    for (peer, version) in &report.versions {
        // Writing into a String can't fail.
        let _ = writeln!(text, "| {} | {version} | {} |", peer.name(), peer.job());
    }
    text
}

fn level_table(text: &mut String, report: &Report, level: usize) {
    let _ = write!(
        text,
        "\n**{level} sessions**\n\n| relay | CPU µs a frame | × nginx | delivered % | p50 ms | p99 ms | added p99 ms | memory MB |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    let figure = |peer, figure: fn(&Sample) -> f64| {
        let samples = report.samples.iter();
        let of = samples.filter(|sample| sample.peer == peer && sample.sessions == level);
        median(of.map(figure).collect())
    };
    for (peer, _) in &report.versions {
        let own = |of: fn(&Sample) -> f64| figure(*peer, of);
        let cpu = own(|sample| sample.cpu_us);
        let nginx = figure(Peer::Nginx, |sample| sample.cpu_us);
        let p99 = own(|sample| sample.p99_ms);
        let direct = figure(Peer::Direct, |sample| sample.p99_ms);
        let cells = [
            number(cpu, 1),
            number(cpu.zip(nginx).map(|(own, nginx)| own / nginx), 2),
            number(own(|sample| sample.delivered), 1),
            number(own(|sample| sample.p50_ms), 2),
            number(p99, 2),
            number(p99.zip(direct).map(|(own, direct)| own - direct), 2),
            number(own(|sample| sample.memory_mb), 1),
        ];
        let _ = writeln!(text, "| {} | {} |", peer.name(), cells.join(" | "));
    }
}

fn idle_table(text: &mut String, report: &Report) {
    let Some(first) = report.idle.first() else {
        return;
    };
    let _ = write!(
        text,
        "\n**{} sessions that say nothing**\n\n| relay | KiB a session |\n| --- | --- |\n",
        first.sessions
    );
    for (peer, _) in &report.versions {
        for (tls, leg) in [(false, ""), (true, ", TLS to the client")] {
            let idle = report.idle.iter();
            let of = idle.filter(|idle| idle.peer == *peer && idle.tls == tls);
            if let Some(kib) = median(of.map(|idle: &Idle| idle.kib).collect()) {
                let _ = writeln!(text, "| {}{leg} | {kib:.1} |", peer.name());
            }
        }
    }
}

/// What Hallpass was asked besides.
fn besides(text: &mut String, report: &Report) {
    let minted = |of: fn(&Minted) -> f64| number(median(report.minted.iter().map(of).collect()), 2);
    if let Some(idle) = report.idle.first().filter(|_| !report.minted.is_empty()) {
        let _ = write!(
            text,
            "\nMints through Hallpass while it held {} idle sessions, one after the other, each on a new connection, all answered: p50 {} ms, p99 {} ms.\n",
            idle.sessions,
            minted(|minted| minted.p50_ms),
            minted(|minted| minted.p99_ms),
        );
    }
    let ended = |of: fn(&Ended) -> f64| number(median(report.ended.iter().map(of).collect()), 1);
    if let Some(first) = report.ended.first() {
        let _ = write!(
            text,
            "\nA revocation of everything with {} live sessions: from its answer to the close, p50 {} ms, p99 {} ms, the last {} ms.\n",
            first.sessions,
            ended(|ended| ended.p50_ms),
            ended(|ended| ended.p99_ms),
            ended(|ended| ended.longest_ms),
        );
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_of_nothing_is_none() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
    }
}
