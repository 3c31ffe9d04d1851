//! What is asked of the usage page: which time, and by what it is grouped.

use hallpass_core::{
    Timestamp,
    usage::{Grouping, Hour, UsageQuery},
};

use crate::{form::address, visit::Visit};

/// Rows shown.
const MOST: usize = 200;
/// Rows of a table for a spreadsheet.
const MOST_OF_A_TABLE: usize = 10_000;

/// Times that may be asked for: their word, their name, their hours.
const SPANS: [(&str, &str, &str, i64); 2] = [
    ("24h", "24 hours", "Last 24 hours", 24),
    ("7d", "7 days", "Last 7 days", 7 * 24),
];

const GROUPINGS: [(Grouping, &str); 5] = [
    (Grouping::Hour, "By hour"),
    (Grouping::Subject, "By user"),
    (Grouping::Profile, "By profile"),
    (Grouping::Mode, "By mode"),
    (Grouping::Model, "By model"),
];

/// Which usage is shown.
pub(super) struct Asked {
    span: usize,
    by: Grouping,
    is_table: bool,
}

impl Asked {
    /// What an address asks for; the first of each where it does not say.
    pub(super) fn of(visit: &Visit) -> Self {
        let fields = visit.query();
        let range = fields.get("range");
        let span = SPANS.iter().position(|(word, ..)| Some(*word) == range);
        let by = fields.get("by").and_then(|by| by.parse().ok());
        let known = |by: &Grouping| GROUPINGS.iter().any(|(known, _)| known == by);
        Self {
            span: span.unwrap_or(0),
            by: by.filter(known).unwrap_or(Grouping::Hour),
            is_table: visit.uri.path().ends_with(".csv"),
        }
    }

    pub(super) const fn grouping(&self) -> Grouping {
        self.by
    }

    pub(super) fn by(&self) -> &'static str {
        self.by.into()
    }

    pub(super) const fn span(&self) -> &'static str {
        SPANS[self.span].0
    }

    pub(super) const fn past(&self) -> &'static str {
        SPANS[self.span].2
    }

    pub(super) const fn hours(&self) -> i64 {
        SPANS[self.span].3
    }

    /// The question, by some grouping.
    pub(super) fn query(&self, by: Grouping, now: Timestamp) -> UsageQuery {
        let before = jiff::SignedDuration::from_hours(self.hours() - 1);
        let from = now.saturating_sub(before).unwrap_or(now);
        UsageQuery {
            from: Some(Hour::of(from)),
            by: vec![by],
            limit: match (by, self.is_table) {
                (_, true) => MOST_OF_A_TABLE,
                // Each hour may have a row of each source.
                (Grouping::Hour, false) => 2 * usize::try_from(self.hours()).unwrap_or(MOST),
                (_, false) => MOST,
            },
            ..UsageQuery::default()
        }
    }

    pub(super) fn spans(&self) -> [(&'static str, String, &'static str); 2] {
        SPANS.map(|(word, name, ..)| {
            let href = address("/console/usage", &[("range", word), ("by", self.by())]);
            (word, href, name)
        })
    }

    pub(super) fn groupings(&self) -> [(&'static str, String, &'static str); 5] {
        GROUPINGS.map(|(by, name)| {
            let by: &'static str = by.into();
            let fields = [("range", self.span()), ("by", by)];
            (by, address("/console/usage", &fields), name)
        })
    }

    /// Where the table for a spreadsheet is.
    pub(super) fn table(&self) -> String {
        let fields = [("range", self.span()), ("by", self.by())];
        address("/console/usage.csv", &fields)
    }
}

/// When an hour begins, as usage names it; none where only its day is known.
pub(super) fn begin_of(hour: &str) -> Option<Timestamp> {
    let hour: Hour = hour.parse().ok()?;
    let time = jiff::civil::time(hour.of_day?, 0, 0, 0);
    let begin = jiff::tz::Offset::UTC.to_timestamp(hour.day.to_datetime(time));
    begin.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_begins_where_it_is_named() {
        let begin = begin_of("2026-11-22T14:00Z").unwrap();
        assert_eq!(begin.to_string(), "2026-11-22T14:00:00Z");
        assert_eq!(begin_of("2026-11-22"), None);
        assert_eq!(begin_of("noon"), None);
    }
}
