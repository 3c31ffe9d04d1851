//! SARIF 2.1.0, as code hosts read it.

use serde_json::{Value, json};
use url::Url;

use crate::{finding::Finding, position::Position, rule::Rule, scanner::Outcome};

/// An outcome as a SARIF log of one run.
#[must_use]
pub fn sarif(outcome: &Outcome) -> Value {
    let rules: Vec<Value> = Rule::ALL.into_iter().map(rule).collect();
    let results: Vec<Value> = outcome.findings.iter().map(result).collect();
    let notes: Vec<Value> = outcome
        .notes
        .iter()
        .map(|note| {
            let text = format!("{}: {}", note.path, note.reason);
            json!({"level": "warning", "message": {"text": text}})
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "hallpass-scan",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": "https://github.com/hallpass/hallpass/blob/main/docs/scan.md",
                "rules": rules,
            }},
            "columnKind": "utf16CodeUnits",
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notes,
            }],
            "results": results,
        }],
    })
}

fn rule(rule: Rule) -> Value {
    json!({
        "id": rule.id(),
        "name": rule.title(),
        "shortDescription": {"text": rule.title()},
        "help": {"text": rule.remedy()},
        "defaultConfiguration": {"level": level(rule)},
        "properties": {
            "tags": ["security"],
            // Code hosts sort by this number, from 0 to 10.
            "security-severity": if rule.is_critical() { "9.5" } else { "6.0" },
        },
    })
}

const fn level(rule: Rule) -> &'static str {
    if rule.is_critical() {
        "error"
    } else {
        "warning"
    }
}

fn result(finding: &Finding) -> Value {
    let mut result = json!({
        "ruleId": finding.rule.id(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule),
        "level": level(finding.rule),
        "message": {"text": message(finding)},
        "locations": [location(&finding.path, finding.position)],
        "partialFingerprints": {"secret/v1": finding.fingerprint},
    });
    if let Some(original) = &finding.original {
        let mut related = location(&original.path, original.position);
        related["message"] = json!({"text": "where it was written, by the source map"});
        result["relatedLocations"] = json!([related]);
    }
    result
}

fn message(finding: &Finding) -> String {
    let mut text = format!("{} {}", finding.rule.title(), finding.redacted);
    if let Some(name) = &finding.known_as {
        text.push_str(&format!(", known as {name}"));
    }
    if let Some(git) = &finding.git {
        let commit = git.commit.as_deref().unwrap_or("none");
        text.push_str(&format!(", git object {}, commit {commit}", git.object));
    }
    format!("{text}. {}", finding.rule.remedy())
}

fn location(path: &str, at: Position) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(path)},
        "region": {"startLine": at.line, "startColumn": at.column},
    }})
}

/// A path as a relative reference: whatever a URI can't hold is escaped.
fn uri(path: &str) -> String {
    if Url::parse(path).is_ok_and(|url| url.has_host()) {
        return path.to_owned();
    }
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~!".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
