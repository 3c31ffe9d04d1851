//! The calls that are up.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{credential::UnverifiedKey, effective::Session, sessions::SessionSummary, sync::lock};

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    /// The credential that created it, which alone may listen and hang up.
    pub(crate) key: UnverifiedKey,
    pub(crate) session: Session,
    pub(crate) safety_identifier: Option<Box<str>>,
    pub(crate) created_at: Timestamp,
    pub(crate) deadline: Instant,
}

#[derive(Debug, Default)]
struct Table {
    calls: HashMap<Arc<str>, Arc<Call>>,
    oldest_first: VecDeque<Arc<str>>,
}

/// All calls that are up, as many as the capacity allows.
#[derive(Debug)]
pub(crate) struct Calls {
    capacity: usize,
    table: Mutex<Table>,
}

impl Calls {
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            capacity,
            table: Mutex::default(),
        }
    }

    /// Adds a call; forgets the oldest when full.
    pub(crate) fn insert(&self, id: &str, call: Call) {
        let id: Arc<str> = id.into();
        let mut table = lock(&self.table);
        if table.oldest_first.len() >= self.capacity
            && let Some(forgotten) = table.oldest_first.pop_front()
        {
            table.calls.remove(&forgotten);
        }
        table.oldest_first.push_back(Arc::clone(&id));
        table.calls.insert(id, Arc::new(call));
    }

    /// The call, if it is up and this credential created it.
    pub(crate) fn find(&self, id: &str, key: &UnverifiedKey) -> Option<Arc<Call>> {
        let table = lock(&self.table);
        let call = table.calls.get(id)?;
        let open = call.key == *key && call.deadline > Instant::now();
        open.then(|| Arc::clone(call))
    }

    /// Ends a call; false where there is none.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let mut table = lock(&self.table);
        let removed = table.calls.remove(id);
        table.oldest_first.retain(|it| &**it != id);
        removed.is_some()
    }

    /// The calls that are up, oldest first.
    pub(crate) fn live(&self) -> Vec<SessionSummary> {
        let table = lock(&self.table);
        let now = Instant::now();
        let found = |id: &Arc<str>| Some((Arc::clone(id), table.calls.get(id)?));
        let ordered = table.oldest_first.iter().filter_map(found);
        let up = ordered.filter(|(_, call)| call.deadline > now);
        up.map(|(id, call)| call.summary(&id)).collect()
    }
}

impl Call {
    fn summary(&self, id: &str) -> SessionSummary {
        SessionSummary {
            id: id.to_owned(),
            kind: "call",
            call_id: Some(id.to_owned()),
            credential_last_four: self.key.last_four().as_str().to_owned(),
            safety_identifier: self.safety_identifier.as_deref().map(str::to_owned),
            created_at: self.created_at,
            ended_at: None,
            close_code: None,
            responses: 0,
            input_tokens: 0,
            output_tokens: 0,
            session: self.session.clone(),
        }
    }
}
