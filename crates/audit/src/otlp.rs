//! Records as OTLP logs over HTTP, in JSON.

use serde_json::{Value, json};

/// The body of an `ExportLogsServiceRequest` with these lines.
///
/// Each log's body is the record's line as it stands, so that it still
/// verifies; a few members are attributes too, for filters.
#[must_use]
pub fn otlp_logs(lines: &[String], version: &str) -> String {
    let records: Vec<Value> = lines.iter().map(|line| log_record(line)).collect();
    json!({"resourceLogs": [{
        "resource": {"attributes": [
            text("service.name", "hallpass"),
            text("service.version", version),
        ]},
        "scopeLogs": [{"scope": {"name": "hallpass.audit"}, "logRecords": records}],
    }]})
    .to_string()
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn log_record(line: &str) -> Value {
    let record: Value = serde_json::from_str(line).unwrap_or_default();
    let nanos = record["time"]
        .as_i64()
        .unwrap_or(0)
        .saturating_mul(1_000_000);
    let (number, name) = severity(record["severity_id"].as_u64());
    let members = [
        ("hallpass.audit.action", "/unmapped/hallpass/action"),
        ("hallpass.audit.outcome", "/unmapped/hallpass/outcome"),
        ("hallpass.audit.uid", "/metadata/uid"),
        ("enduser.id", "/actor/user/uid"),
        ("client.address", "/src_endpoint/ip"),
    ];
    let attributes: Vec<Value> = members
        .into_iter()
        .filter_map(|(key, place)| Some(text(key, record.pointer(place)?.as_str()?)))
        .collect();
    json!({
        "timeUnixNano": nanos.to_string(),
        "severityNumber": number,
        "severityText": name,
        "eventName": "hallpass.audit",
        "body": {"stringValue": line},
        "attributes": attributes,
    })
}

/// The log severity of an OCSF one.
const fn severity(id: Option<u64>) -> (u32, &'static str) {
    match id {
        Some(1) => (9, "INFO"),
        Some(2) => (10, "INFO2"),
        Some(3) => (13, "WARN"),
        Some(4) => (17, "ERROR"),
        _ => (0, ""),
    }
}
