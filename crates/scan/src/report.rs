//! How an outcome is told.

mod sarif;
mod text;

pub use self::{sarif::sarif, text::text};

use serde_json::{Value, json};

use crate::scanner::Outcome;

/// An outcome as JSON, for programs.
#[must_use]
pub fn json(outcome: &Outcome) -> Value {
    let rules: Vec<Value> = outcome
        .findings
        .iter()
        .map(|finding| {
            let mut value = serde_json::to_value(finding).unwrap_or_default();
            if let Some(members) = value.as_object_mut() {
                members.insert("title".to_owned(), finding.rule.title().into());
                members.insert("remedy".to_owned(), finding.rule.remedy().into());
                members.insert("critical".to_owned(), finding.rule.is_critical().into());
            }
            value
        })
        .collect();
    json!({
        "version": 1,
        "findings": rules,
        "notes": outcome.notes,
        "texts": outcome.texts,
        "bytes": outcome.bytes,
    })
}
