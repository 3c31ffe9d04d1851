//! A usage report as comma-separated values (RFC 4180).

use std::collections::BTreeMap;

use hallpass_core::csv::cell;

use super::{ActivityAnswer, UsageGroup, UsageReport};

/// The columns after those of the groups.
const COLUMNS: &str = "source,mints,mints_refused,mints_failed,mints_abandoned,refusals,failures,\
    secrets_expired,sessions_started,sessions_ended,sessions_expired,sessions_ended_cost_usd,\
    sessions,live_seconds,responses,transcriptions,input_text,input_audio,input_image,cached_text,\
    cached_audio,cached_image,output_text,output_audio,transcribed_ms,cost_usd,unpriced,\
    refusals_by_code,failures_by_code,disconnects_by_reason";

/// Columns of what the trail counts, before those of usage.
const COUNTED: usize = 11;

impl UsageReport {
    /// The report as a table with a header.
    ///
    /// A text that a spreadsheet would take for a formula begins with `'`.
    /// Columns of what the trail counts are empty where it can't be grouped so.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let names = self.by.split(',').filter(|name| !name.is_empty());
        let names: Vec<&str> = names.collect();
        let header = names.iter().map(|name| format!("{name},"));
        let mut table: String = header.chain([COLUMNS.to_owned()]).collect();
        table.push_str("\r\n");
        for group in &self.data {
            table.push_str(&row(&names, group).join(","));
            table.push_str("\r\n");
        }
        table
    }
}

fn row(names: &[&str], group: &UsageGroup) -> Vec<String> {
    let name = |name: &&str| {
        group
            .groups
            .get(name)
            .map_or_else(String::new, |it| cell(it))
    };
    let mut row: Vec<String> = names.iter().map(name).collect();
    row.push(group.source.to_owned());
    match &group.activity {
        Some(counted) => row.extend(counts(counted)),
        None => row.extend(vec![String::new(); COUNTED]),
    }
    let usage = &group.usage;
    let numbers = [
        group.sessions,
        usage.live_seconds,
        usage.responses,
        usage.transcriptions,
        usage.input.text,
        usage.input.audio,
        usage.input.image,
        usage.cached.text,
        usage.cached.audio,
        usage.cached.image,
        usage.output.text,
        usage.output.audio,
        usage.transcribed_ms,
    ];
    row.extend(numbers.map(|number| number.to_string()));
    row.push(usage.cost_usd.clone());
    row.push(usage.unpriced.to_string());
    let reasons = group.activity.as_ref().map_or_else(
        || [String::new(), String::new(), String::new()],
        |it| [&it.refusals, &it.failures, &it.disconnects].map(reasons),
    );
    row.extend(reasons);
    row
}

fn counts(counted: &ActivityAnswer) -> [String; COUNTED] {
    [
        counted.mints.to_string(),
        counted.mints_refused.to_string(),
        counted.mints_failed.to_string(),
        counted.mints_abandoned.to_string(),
        sum(&counted.refusals).to_string(),
        sum(&counted.failures).to_string(),
        counted.secrets_expired.to_string(),
        counted.sessions_started.to_string(),
        sum(&counted.disconnects).to_string(),
        counted.sessions_expired.to_string(),
        counted.sessions_ended_cost_usd.clone(),
    ]
}

fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

/// `rate_limited=2 missing_credential=1`
fn reasons(counts: &BTreeMap<String, u64>) -> String {
    let reasons = counts
        .iter()
        .map(|(reason, count)| format!("{reason}={count}"));
    cell(&reasons.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use hallpass_core::{
        money::NanoUsd,
        usage::{
            Activity, Grouping, Happening, Source, Tally, Usage, UsageQuery, UsageTotal,
            UsageTotals,
        },
    };

    use super::*;

    fn report(by: Vec<Grouping>) -> UsageReport {
        let happening = |activity, reason| Happening::because(activity, reason);
        let cost = Tally {
            times: 1,
            cost: NanoUsd(5_000_000_000),
        };
        let total = UsageTotal {
            group: vec!["=HYPERLINK(\"http://x\",1)".to_owned(), "m".to_owned()],
            source: Source::Measured,
            sessions: 1,
            usage: Usage::default(),
            activity: [
                (
                    happening(Activity::MintRefused, "rate_limited"),
                    Tally::ONCE,
                ),
                (happening(Activity::Ended, "time_limit"), cost),
            ]
            .into(),
        };
        let query = UsageQuery {
            by,
            ..UsageQuery::default()
        };
        let totals = UsageTotals {
            groups: vec![total],
            more: false,
        };
        UsageReport::new(&query, &totals, 7)
    }

    /// Cells of a row, as a reader of RFC 4180 has them.
    fn cells(row: &str) -> Vec<String> {
        let (mut cells, mut quoted) = (vec![String::new()], false);
        for letter in row.chars() {
            match letter {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                other => cells.last_mut().unwrap().push(other),
            }
        }
        cells
    }

    #[test]
    fn every_row_has_as_many_cells_as_the_header() {
        for by in [
            vec![Grouping::Subject, Grouping::Model],
            vec![Grouping::Role, Grouping::Session],
        ] {
            let csv = report(by).to_csv();
            let rows: Vec<_> = csv.lines().map(cells).collect();
            assert_eq!(rows[0].len(), rows[1].len(), "{csv}");
            assert!(rows[1][0].starts_with("'=HYPERLINK"), "{csv}");
            assert!(csv.ends_with("\r\n"));
        }
    }

    #[test]
    fn counts_stand_under_their_names() {
        let csv = report(vec![Grouping::Subject, Grouping::Model]).to_csv();
        let rows: Vec<_> = csv.lines().map(cells).collect();
        let told = |name: &str| {
            let place = rows[0].iter().position(|it| it == name).unwrap();
            rows[1][place].clone()
        };
        assert_eq!(told("mints_refused"), "1");
        assert_eq!(told("refusals_by_code"), "rate_limited=1");
        assert_eq!(told("sessions_expired"), "1");
        assert_eq!(told("sessions_ended_cost_usd"), "5.000000000");
        assert_eq!(told("disconnects_by_reason"), "time_limit=1");
    }
}
