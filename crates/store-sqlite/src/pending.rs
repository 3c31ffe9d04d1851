//! Grants that are not in the file yet, or not as they are there.

use std::{collections::HashMap, sync::Arc};

use hallpass_core::{grant::Grant, ids::GrantId, ports::GrantFilter};

use crate::query::matches;

/// Grants by id.
pub(crate) type Batch = HashMap<GrantId, Arc<Grant>>;

/// What the next transaction will write; reads look here first.
#[derive(Default)]
pub(crate) struct Pending {
    /// Waiting for the next transaction.
    waiting: Batch,
    /// In the transaction under way.
    writing: Arc<Batch>,
}

impl Pending {
    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Puts a grant in line, as it is now. True for the first.
    pub(crate) fn put(&mut self, grant: Arc<Grant>) -> bool {
        let first = self.waiting.is_empty();
        self.waiting.insert(grant.id.clone(), grant);
        first
    }

    /// The newest view of a grant.
    pub(crate) fn find(&self, id: &GrantId) -> Option<&Arc<Grant>> {
        self.waiting.get(id).or_else(|| self.writing.get(id))
    }

    /// Everything a filter lets pass, each grant once, as it is now.
    pub(crate) fn list(&self, filter: &GrantFilter) -> Batch {
        let all = self.writing.iter().chain(&self.waiting);
        all.filter(|(_, grant)| matches(filter, grant))
            .map(|(id, grant)| (id.clone(), grant.clone()))
            .collect()
    }

    /// Takes what waits into a transaction.
    pub(crate) fn begin(&mut self) -> Arc<Batch> {
        self.writing = Arc::new(std::mem::take(&mut self.waiting));
        self.writing.clone()
    }

    /// The transaction is over; where it failed everything waits again.
    pub(crate) fn end(&mut self, written: bool) {
        let batch = std::mem::take(&mut self.writing);
        if written {
            return;
        }
        for (id, grant) in batch.iter() {
            // What changed meanwhile is newer.
            self.waiting
                .entry(id.clone())
                .or_insert_with(|| grant.clone());
        }
    }
}
