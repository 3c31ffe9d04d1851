//! The audit trail, read as plain files.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::hallpass;

/// A trail's directory.
#[derive(Debug, Clone)]
pub(crate) struct Trail(PathBuf);

/// One record as it stands.
#[derive(Debug, Clone)]
pub(crate) struct Record(pub(crate) Value);

impl Trail {
    pub(crate) fn at(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// The segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut segments: Vec<PathBuf> = paths
            .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
            .collect();
        segments.sort();
        segments
    }

    /// The lines that are whole; a writer may be at the next.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for segment in self.segments() {
            let text = String::from_utf8_lossy(&std::fs::read(segment).unwrap()).into_owned();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            lines.extend(whole.lines().map(str::to_owned));
        }
        lines
    }

    /// All records.
    pub(crate) fn all(&self) -> Vec<Record> {
        let lines = self.lines();
        let records = lines.iter().map(|line| serde_json::from_str(line));
        records.map(|record| Record(record.unwrap())).collect()
    }

    /// The records of requests and of the server's life: not those that are
    /// written in between of a time or a crowd.
    pub(crate) fn records(&self) -> Vec<Record> {
        const IN_BETWEEN: [&str; 4] = [
            "trail.checkpoint",
            "security.anomaly",
            "alert.start",
            "alert.end",
        ];
        let asked_for = |record: &Record| !IN_BETWEEN.contains(&record.action());
        self.all().into_iter().filter(asked_for).collect()
    }

    /// What `hallpass audit verify` says of a whole trail.
    pub(crate) fn verified(&self) -> Value {
        let dir = self.0.as_os_str();
        hallpass(["audit".as_ref(), "verify".as_ref(), "--json".as_ref(), dir]).json()
    }
}

impl Record {
    fn ours(&self, member: &str) -> &Value {
        &self.0["unmapped"]["hallpass"][member]
    }

    fn text(&self, member: &str) -> &str {
        self.ours(member).as_str().unwrap_or("")
    }

    /// One of the further facts; empty where there is none.
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.ours("facts")[name].as_str().unwrap_or("")
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.0["metadata"]["sequence"].as_u64().unwrap()
    }

    pub(crate) fn action(&self) -> &str {
        self.text("action")
    }

    pub(crate) fn outcome(&self) -> &str {
        self.text("outcome")
    }

    pub(crate) fn code(&self) -> &str {
        self.text("code")
    }

    pub(crate) fn is_intent(&self) -> bool {
        self.text("phase") == "intent"
    }

    /// The id of the grant that is announced or issued.
    pub(crate) fn grant_id(&self) -> &str {
        let issued = self.grant()["id"].as_str();
        issued.or(self.ours("draft")["id"].as_str()).unwrap_or("")
    }

    pub(crate) fn grant(&self) -> &Value {
        self.ours("grant")
    }

    pub(crate) fn upstream_request(&self) -> &str {
        self.ours("upstream")["request_id"].as_str().unwrap_or("")
    }
}
