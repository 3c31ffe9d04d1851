//! What a run of `cargo xtask replicas --chaos` found, as a table.
use serde_json::Value;

/// A row: what was held, how much of it, and the figure's place in the report.
const ROWS: [(&str, &str); 17] = [
    ("seconds", "/seconds"),
    ("faults", "/faults"),
    (
        "mints asked for through nginx or at a replica",
        "/mints/asked",
    ),
    ("secrets answered", "/mints/secrets"),
    ("secrets recorded", "/mints/recorded"),
    ("secrets OpenAI made", "/mints/made_by_openai"),
    ("of those, answered to nobody", "/mints/orphans"),
    ("mints the trails mark so, or more", "/mints/orphans_marked"),
    ("mints refused", "/mints/refused"),
    ("mints whose answer was lost", "/mints/unknown"),
    (
        "secrets under a limit, nearest to the stated bound, %",
        "/limits/nearest_to_bound_percent",
    ),
    (
        "refusals by a limit, held against the model",
        "/limits/refusals_judged",
    ),
    ("requests of revoked people", "/revocations/requests_judged"),
    (
        "last one accepted, ms after the answer",
        "/revocations/last_accepted_ms",
    ),
    (
        "live sessions of revoked people",
        "/revocations/sessions_judged",
    ),
    (
        "last one closed, ms after the answer, where PostgreSQL was there",
        "/revocations/last_closed_ms",
    ),
    (
        "begins and ends of failure policies recorded",
        "/failure_policies",
    ),
];

/// The figures, the faults by kind, and what did not hold.
pub(super) fn table(report: &Value) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    for (name, place) in ROWS {
        let figure = report.pointer(place).unwrap_or(&Value::Null);
        rows.push((name.to_owned(), figure.to_string()));
    }
    let kinds = report["faults_by_kind"].as_object();
    for (kind, times) in kinds.into_iter().flatten() {
        rows.push((format!("fault: {kind}"), times.to_string()));
    }
    let violations = report["violations"].as_array();
    let violations = violations.map(Vec::as_slice).unwrap_or_default();
    rows.push(("violations".to_owned(), violations.len().to_string()));
    let widest = rows.iter().map(|(name, _)| name.chars().count());
    let width = widest.max().unwrap_or_default();
    let lines = rows
        .iter()
        .map(|(name, figure)| format!("| {name:<width$} | {figure:>9} |"));
    let mut text = format!("| {:<width$} | {:>9} |\n", "what", "figure");
    text += &format!("| {} | {}: |\n", "-".repeat(width), "-".repeat(8));
    text += &lines.collect::<Vec<_>>().join("\n");
    for violation in violations {
        text += &format!("\nVIOLATION: {}", violation.as_str().unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_kinds_and_violations_are_shown() {
        let report = json!({
            "seconds": 60, "faults": 2, "faults_by_kind": { "Redis killed": 2 },
            "mints": { "secrets": 41 },
            "violations": ["user-1: 9 secrets"],
        });
        let text = table(&report);
        let row = |name: &str| text.lines().find(|line| line.contains(name)).unwrap();
        assert!(row("secrets answered").ends_with("|        41 |"), "{text}");
        assert!(
            row("fault: Redis killed").ends_with("|         2 |"),
            "{text}"
        );
        assert!(text.ends_with("VIOLATION: user-1: 9 secrets"), "{text}");
        let table = text.lines().filter(|line| line.starts_with('|'));
        let widths: Vec<usize> = table.map(str::len).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
    }
}
