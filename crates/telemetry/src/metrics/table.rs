//! The table of all metrics, made from the metrics themselves.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use super::{Breaker, Delivery, Metrics};

const HEAD: &str = "# Metrics

`GET /metrics` on the admin listener, in the OpenMetrics text format. This table is made from the
code by `cargo xtask metrics`.

Labels come from closed sets or from the configuration. No metric names a subject: what concerns
one person is in `GET /api/admin/usage` and in the audit trail. The duration of requests carries
exemplars: the `trace_id` of a request that is sampled (docs/tracing.md), or, where Hallpass sends no
traces, of one whose `traceparent` says that its sender keeps the trace.

| metric | type | unit | labels | what it says |
|---|---|---|---|---|
";

/// One metric, as its page describes it.
#[derive(Debug, Default)]
struct Row {
    kind: String,
    unit: String,
    help: String,
    labels: Vec<String>,
    has_series: bool,
}

/// The table of all metrics, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut table = HEAD.to_owned();
    for (name, row) in rows() {
        let labels: Vec<String> = row.labels.iter().map(|it| format!("`{it}`")).collect();
        // Writing into a String does not fail.
        let _ = writeln!(
            table,
            "| `{name}{}` | {} | {} | {} | {} |",
            suffix(&row.kind),
            row.kind,
            row.unit,
            labels.join(", "),
            row.help,
        );
    }
    table
}

/// What a query names beyond the metric itself.
fn suffix(kind: &str) -> &'static str {
    match kind {
        "counter" => "_total",
        "info" => "_info",
        _ => "",
    }
}

fn rows() -> BTreeMap<String, Row> {
    let metrics = Metrics::new("x");
    touch(&metrics);
    let page = metrics.encode();
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for line in page.lines() {
        if let Some(described) = line.strip_prefix("# ") {
            describe(&mut rows, described);
        } else {
            series(&mut rows, line);
        }
    }
    rows
}

fn describe(rows: &mut BTreeMap<String, Row>, described: &str) {
    let mut words = described.splitn(3, ' ');
    let (Some(what), Some(name), Some(text)) = (words.next(), words.next(), words.next()) else {
        return;
    };
    let row = rows.entry(name.to_owned()).or_default();
    match what {
        "TYPE" => text.clone_into(&mut row.kind),
        "UNIT" => text.clone_into(&mut row.unit),
        "HELP" => text.trim_end_matches('.').clone_into(&mut row.help),
        _ => {}
    }
}

fn series(rows: &mut BTreeMap<String, Row>, line: &str) {
    let end = line.find(['{', ' ']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    // A series belongs to the metric with the longest name that begins it.
    let ours = |metric: &&String| name.starts_with(metric.as_str());
    let Some(metric) = rows.keys().filter(ours).max_by_key(|it| it.len()).cloned() else {
        return;
    };
    let Some(row) = rows.get_mut(&metric) else {
        return;
    };
    row.has_series = true;
    let Some((labels, _)) = rest.strip_prefix('{').and_then(|it| it.split_once('}')) else {
        return;
    };
    for label in labels.split(',').filter_map(|it| it.split_once('=')) {
        let name = label.0.to_owned();
        if name != "le" && !row.labels.contains(&name) {
            row.labels.push(name);
        }
    }
}

/// Gives every metric a series, so that its labels are seen.
fn touch(metrics: &Metrics) {
    let moment = Duration::from_millis(1);
    metrics.http.answered("GET", "/livez", 200, moment, None);
    metrics.mint.finished("interview", "success");
    metrics.upstream.finished("success", moment);
    metrics
        .upstream
        .breaker_changed("openai", "mark", Breaker::Closed);
    let failures = BTreeMap::from([("upstream_timeout", 1)]);
    metrics.upstream.failures_recently(1, &failures);
    metrics.audit.shipping_lag("collector", 0);
    metrics.tasks.succeeded("task", 0.0);
    metrics.alerts.rule("rule", "info");
    metrics.alerts.started("rule", "info", true);
    metrics.alerts.delivery("ops", Delivery::Taken);
    metrics.alerts.waiting("ops", 0);
    metrics.traces.shown();
    metrics.traces.tried(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_touched_so_that_its_labels_are_told() {
        for (name, row) in rows() {
            assert!(row.has_series, "{name}: give it a series in `touch`");
            assert!(!row.help.is_empty() && !row.kind.is_empty(), "{name}");
        }
    }

    #[test]
    fn names_and_units_follow_the_convention() {
        for (name, row) in rows() {
            let rest = name.strip_prefix("hallpass_").unwrap_or_default();
            let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(!rest.is_empty() && rest.chars().all(lower), "{name}");
            for reserved in ["_total", "_count", "_sum", "_bucket", "_info", "_ms"] {
                assert!(!name.ends_with(reserved), "{name}");
            }
            if !row.unit.is_empty() {
                assert!(name.ends_with(&row.unit), "{name} is in {}", row.unit);
            }
            for base in ["duration", "timestamp", "age"] {
                let named = name.contains(base);
                assert!(!named || row.unit == "seconds", "{name} has no unit");
            }
            assert!(!row.labels.iter().any(|it| it == "subject"), "{name}");
        }
    }

    #[test]
    fn the_table_names_what_a_query_names() {
        let table = table();
        for row in [
            "| `hallpass_mints_total` | counter |  | `profile`, `outcome` |",
            "| `hallpass_http_request_duration_seconds` | histogram | seconds |  |",
            "| `hallpass_alerts_active` | gauge |  | `rule`, `severity` |",
            "| `hallpass_build_info` | info |  | `version` |",
        ] {
            assert!(table.contains(row), "{row}\n{table}");
        }
    }
}
