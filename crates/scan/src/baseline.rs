//! Finds that are known and accepted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{finding::Finding, rule::Rule};

/// A list of accepted finds, by the fingerprints of their secrets.
///
/// A secret is accepted wherever it stands: bundles change their names with
/// every build.
#[derive(Debug, Default)]
pub struct Baseline {
    accepted: BTreeSet<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    fingerprint: String,
    /// For whoever reads the file.
    rule: String,
    /// Where it was first seen, for whoever reads the file.
    path: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    accepted: Vec<Entry>,
}

/// Why a baseline can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// It is no such file.
    #[error("it is no baseline: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Its version is another.
    #[error("its version is {0}; this program reads version 1")]
    Version(u32),
}

impl Baseline {
    /// Reads a file's text.
    ///
    /// # Errors
    ///
    /// [`BaselineError`] when it is none.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let file: File = serde_json::from_str(text)?;
        if file.version != 1 {
            return Err(BaselineError::Version(file.version));
        }
        let entries = file.accepted.into_iter();
        Ok(Self {
            accepted: entries.map(|entry| entry.fingerprint).collect(),
        })
    }

    /// Whether a find is accepted. A key of the deployment itself never is.
    #[must_use]
    pub fn accepts(&self, finding: &Finding) -> bool {
        finding.rule != Rule::DeploymentKey && self.accepted.contains(&finding.fingerprint)
    }

    /// The text of a baseline that accepts these finds.
    ///
    /// # Errors
    ///
    /// When it can't be written as JSON, which no list of finds does.
    pub fn of(findings: &[Finding]) -> Result<String, BaselineError> {
        let mut accepted: BTreeMap<&str, Entry> = BTreeMap::new();
        for finding in findings {
            accepted
                .entry(&finding.fingerprint)
                .or_insert_with(|| Entry {
                    fingerprint: finding.fingerprint.clone(),
                    rule: finding.rule.id().to_owned(),
                    path: finding.path.clone(),
                });
        }
        let accepted = accepted.into_values().collect();
        Ok(serde_json::to_string_pretty(&File {
            version: 1,
            accepted,
        })?)
    }
}
