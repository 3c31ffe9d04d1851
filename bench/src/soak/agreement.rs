//! Whether callers, trail and simulator tell the same story.
use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use anyhow::Result;
use serde_json::Value;

use super::callers::{Log, Outcome};

/// What the witnesses say together.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Agreement {
    /// Requests of the callers.
    pub(super) requests: usize,
    /// Secrets the callers got.
    pub(super) secrets: usize,
    /// Refusals the callers got.
    pub(super) refusals: usize,
    /// Callers who hung up.
    pub(super) gone: usize,
    /// Callers who had hung up before the server looked at their request, so
    /// that there was nothing to record.
    pub(super) unseen: usize,
    /// Callers who waited for ten seconds in vain, which only a machine that
    /// stands still explains: the deadline is one.
    pub(super) late: usize,
    /// Requests the simulator saw.
    pub(super) attempts: usize,
    /// Secrets the simulator made.
    pub(super) minted: usize,
    /// Of those, the ones that no caller got and no record of success names.
    pub(super) orphans: usize,
    /// Attempts the trail marks as possible orphans.
    pub(super) marked: usize,
    /// Where they differ.
    pub(super) differences: Vec<String>,
}

/// What the trail says of one request.
#[derive(Debug, Default)]
struct Told {
    finals: usize,
    attempts: usize,
    /// The secret's last four and OpenAI's id of the request, for a success.
    success: Option<(String, String)>,
    marked: usize,
}

/// What the simulator says of one mint: the secret's last four by its id.
type Minted = HashMap<String, String>;

impl Agreement {
    /// Holds the three against each other.
    pub(super) fn of(log: &Log, trail: &Path, seen: &Value) -> Result<Self> {
        let told = told(&lines(trail)?)?;
        Ok(Self::compare(log, &told, seen))
    }

    fn compare(log: &Log, told: &HashMap<String, Told>, seen: &Value) -> Self {
        let entries = seen.as_array().map_or(&[][..], Vec::as_slice);
        let minted = minted(entries);
        let mut agreement = Self {
            requests: log.len(),
            attempts: entries.len(),
            minted: minted.len(),
            marked: told.values().map(|told| told.marked).sum(),
            ..Self::default()
        };
        for (id, outcome) in log {
            agreement.hold(id, outcome, told.get(id), &minted);
        }
        agreement.strangers(log, told);
        agreement.orphans(told, &minted);
        agreement
    }

    /// One request, before all three.
    fn hold(&mut self, id: &str, outcome: &Outcome, told: Option<&Told>, minted: &Minted) {
        match outcome {
            Outcome::Secret(_) => self.secrets += 1,
            Outcome::Refused(_) => self.refusals += 1,
            Outcome::Gone => self.gone += 1,
            Outcome::Late => self.late += 1,
        }
        let finals = told.map_or(0, |told| told.finals);
        if finals == 0 && *outcome == Outcome::Gone {
            self.unseen += 1;
        } else if finals != 1 {
            self.differ(format!("{id}: {outcome:?}, and {finals} final records"));
        }
        let success = told.and_then(|told| told.success.as_ref());
        match (outcome, success) {
            (Outcome::Secret(given), Some((recorded, _))) if given != recorded => {
                self.differ(format!("{id}: the trail has another secret"));
            }
            (Outcome::Secret(_), None) => {
                self.differ(format!("{id}: a secret, and no record of success"));
            }
            (Outcome::Refused(status), Some(_)) => {
                self.differ(format!("{id}: {status}, and a record of success"));
            }
            _ => {}
        }
        if let Some((recorded, upstream)) = success
            && minted.get(upstream) != Some(recorded)
        {
            self.differ(format!("{id}: OpenAI made no such secret"));
        }
    }

    /// Records nobody asked for.
    fn strangers(&mut self, log: &Log, told: &HashMap<String, Told>) {
        let asked: HashSet<&str> = log.iter().map(|(id, _)| id.as_str()).collect();
        for id in told.keys().filter(|id| id.starts_with("soak-")) {
            if !asked.contains(id.as_str()) {
                self.differ(format!("{id}: recorded, and never asked"));
            }
        }
    }

    /// Secrets that nobody got must be marked as possible orphans.
    fn orphans(&mut self, told: &HashMap<String, Told>, minted: &Minted) {
        let successes = told.values().filter_map(|told| told.success.as_ref());
        let given: HashSet<&str> = successes.map(|(_, upstream)| upstream.as_str()).collect();
        self.orphans = minted
            .keys()
            .filter(|id| !given.contains(id.as_str()))
            .count();
        if self.orphans > self.marked {
            let (orphans, marked) = (self.orphans, self.marked);
            self.differ(format!("{orphans} orphans, and only {marked} marked"));
        }
        let attempts: usize = told.values().map(|told| told.attempts).sum();
        if self.attempts > attempts {
            let seen = self.attempts;
            self.differ(format!(
                "OpenAI saw {seen} attempts, the trail tells {attempts}"
            ));
        }
    }

    fn differ(&mut self, how: String) {
        self.differences.push(how);
    }
}

fn minted(entries: &[Value]) -> Minted {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mints = entries.iter();
    mints
        .filter_map(|entry| {
            Some((
                text(&entry["request_id"])?,
                text(&entry["secret_last_four"])?,
            ))
        })
        .collect()
}

/// All lines of a trail.
fn lines(trail: &Path) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(trail)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "jsonl") {
            lines.extend(fs::read_to_string(path)?.lines().map(str::to_owned));
        }
    }
    Ok(lines)
}

fn told(lines: &[String]) -> Result<HashMap<String, Told>> {
    let mut all = HashMap::<String, Told>::new();
    for line in lines {
        let record: Value = serde_json::from_str(line)?;
        let ours = &record["unmapped"]["hallpass"];
        let Some(id) = record["http_request"]["uid"].as_str() else {
            continue;
        };
        let told = all.entry(id.to_owned()).or_default();
        let phase = ours["phase"].as_str().unwrap_or_default();
        if phase == "outcome" {
            told.finals += 1;
        }
        if matches!(phase, "outcome" | "attempt") {
            told.attempts += 1;
            told.marked += usize::from(ours["upstream"]["orphan_possible"] == true);
        }
        if phase == "outcome" && ours["outcome"] == "success" {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let secret = text(&ours["grant"]["secret_last4"]);
            told.success = Some((secret, text(&ours["upstream"]["request_id"])));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(id: &str, phase: &str, outcome: &str, upstream: &Value) -> String {
        json!({
            "http_request": { "uid": id },
            "unmapped": { "hallpass": {
                "phase": phase, "outcome": outcome, "upstream": upstream,
                "grant": { "secret_last4": "abcd" },
            }},
        })
        .to_string()
    }

    fn asked(id: &str, outcome: Outcome) -> Log {
        vec![(id.to_owned(), outcome)]
    }

    fn secret() -> Outcome {
        Outcome::Secret("abcd".to_owned())
    }

    fn compare(log: &Log, lines: &[String], seen: &Value) -> Agreement {
        Agreement::compare(log, &told(lines).expect("records"), seen)
    }

    #[test]
    fn three_who_tell_the_same_agree() {
        let lines = [
            record("soak-1", "intent", "pending", &json!(null)),
            record(
                "soak-1",
                "outcome",
                "success",
                &json!({ "request_id": "up" }),
            ),
        ];
        let seen = json!([{ "request_id": "up", "secret_last_four": "abcd" }]);

        let agreement = compare(&asked("soak-1", secret()), &lines, &seen);

        assert_eq!(agreement.differences, Vec::<String>::new());
        assert_eq!(
            (agreement.secrets, agreement.minted, agreement.orphans),
            (1, 1, 0)
        );
    }

    #[test]
    fn every_lie_is_found() {
        let good = record(
            "soak-1",
            "outcome",
            "success",
            &json!({ "request_id": "up" }),
        );
        let failed = record("soak-1", "outcome", "failed", &json!(null));
        let up = json!([{ "request_id": "up", "secret_last_four": "abcd" }]);
        let other = json!([{ "request_id": "up", "secret_last_four": "wxyz" }]);
        let none = json!([]);
        let refused = Outcome::Refused(503);
        let cases = [
            (secret(), vec![], &none, "no record"),
            (
                secret(),
                vec![good.clone(), good.clone()],
                &up,
                "two records",
            ),
            (secret(), vec![good.clone()], &none, "no mint"),
            (secret(), vec![good.clone()], &other, "another secret"),
            (secret(), vec![failed.clone()], &none, "recorded as failed"),
            (refused.clone(), vec![good], &up, "recorded as given"),
            (refused, vec![failed], &up, "an orphan that is not marked"),
        ];
        for (outcome, lines, seen, what) in cases {
            let agreement = compare(&asked("soak-1", outcome), &lines, seen);
            assert!(!agreement.differences.is_empty(), "{what}");
        }
        let stranger = record("soak-9", "outcome", "failed", &json!(null));
        assert_eq!(
            compare(&Log::new(), &[stranger], &none).differences.len(),
            1
        );
    }
}
