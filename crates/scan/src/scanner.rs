//! A scan: its sources one after another, what was found, and what could not
//! be looked at.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use serde::Serialize;

use crate::{detector::Detector, document, finding::Finding};

/// Looks through sources and gathers what it finds.
#[derive(Debug)]
pub struct Scanner {
    detector: Detector,
    gathered: Mutex<Gathered>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Gathered {
    findings: Vec<Finding>,
    notes: Vec<Note>,
}

/// How far a scan has got; may be read while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    texts: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// Texts searched: files, members of archives, git objects, resources.
    #[must_use]
    pub fn texts(&self) -> u64 {
        self.texts.load(Ordering::Relaxed)
    }

    /// Bytes searched, after unpacking.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Something that was not looked at, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Note {
    /// What was to be looked at.
    pub path: String,
    /// Why it was not.
    pub reason: String,
}

/// What a scan came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// What was found, by path and place.
    pub findings: Vec<Finding>,
    /// What was not looked at.
    pub notes: Vec<Note>,
    /// Texts searched.
    pub texts: u64,
    /// Bytes searched.
    pub bytes: u64,
}

impl Scanner {
    /// A scanner that has seen nothing yet.
    #[must_use]
    pub fn new(detector: Detector) -> Self {
        Self {
            detector,
            gathered: Mutex::default(),
            progress: Arc::default(),
        }
    }

    /// How far it has got.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// What was found, in order.
    #[must_use]
    pub fn finish(self) -> Outcome {
        let Gathered {
            mut findings,
            mut notes,
        } = self
            .gathered
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        findings.sort_by(|a, b| {
            (&a.path, a.position, a.rule, &a.fingerprint).cmp(&(
                &b.path,
                b.position,
                b.rule,
                &b.fingerprint,
            ))
        });
        findings.dedup();
        notes.sort();
        notes.dedup();
        Outcome {
            findings,
            notes,
            texts: self.progress.texts(),
            bytes: self.progress.bytes(),
        }
    }

    /// Searches one text that has no file beside it.
    pub fn text(&self, path: &str, text: &[u8]) {
        self.text_beside(path, text, &|_| None);
    }

    pub(crate) fn text_beside(&self, path: &str, text: &[u8], beside: document::Beside<'_>) {
        let findings = self.search(path, text, beside);
        self.add(findings);
    }

    /// Searches a text and hands its finds back instead of keeping them.
    pub(crate) fn search(
        &self,
        path: &str,
        text: &[u8],
        beside: document::Beside<'_>,
    ) -> Vec<Finding> {
        self.progress.texts.fetch_add(1, Ordering::Relaxed);
        self.progress
            .bytes
            .fetch_add(text.len() as u64, Ordering::Relaxed);
        document::search(&self.detector, path, text, beside)
    }

    pub(crate) fn add(&self, findings: Vec<Finding>) {
        if !findings.is_empty() {
            self.gathered().findings.extend(findings);
        }
    }

    /// Changes the finds made so far, where more becomes known of them.
    pub(crate) fn complete(&self, change: impl FnMut(&mut Finding)) {
        self.gathered().findings.iter_mut().for_each(change);
    }

    pub(crate) fn note(&self, path: impl Into<String>, reason: impl std::fmt::Display) {
        let path = path.into();
        let reason = reason.to_string();
        self.gathered().notes.push(Note { path, reason });
    }

    fn gathered(&self) -> std::sync::MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
