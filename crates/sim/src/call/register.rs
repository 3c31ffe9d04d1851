//! The calls that are up.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{sync::mpsc, time::Instant};

use super::room::Command;
use crate::{credential::UnverifiedKey, sync::lock};

/// One call, as those outside its room know it.
#[derive(Debug)]
pub(crate) struct Call {
    /// The credential that created it, which alone may listen and hang up.
    pub(crate) key: UnverifiedKey,
    pub(crate) safety_identifier: Option<Box<str>>,
    pub(crate) deadline: Instant,
    pub(crate) room: mpsc::Sender<Command>,
    live: AtomicBool,
}

impl Call {
    /// A call; `live` where no peer connection will follow.
    pub(crate) fn new(
        key: UnverifiedKey,
        safety_identifier: Option<Box<str>>,
        deadline: Instant,
        room: mpsc::Sender<Command>,
        live: bool,
    ) -> Self {
        Self {
            key,
            safety_identifier,
            deadline,
            room,
            live: AtomicBool::new(live),
        }
    }

    /// The browser has connected.
    pub(crate) fn go_live(&self) {
        self.live.store(true, Ordering::Release);
    }

    /// Whether sidebands can attach.
    pub(crate) fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }
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

    /// Adds a call; the answer is the oldest where that one has to go.
    pub(crate) fn insert(&self, id: &str, call: Arc<Call>) -> Option<Arc<str>> {
        let id: Arc<str> = id.into();
        let mut table = lock(&self.table);
        table.oldest_first.push_back(Arc::clone(&id));
        table.calls.insert(id, call);
        let full = table.oldest_first.len() > self.capacity;
        full.then(|| table.oldest_first.front().cloned()).flatten()
    }

    /// The call, if it is up and this credential created it.
    pub(crate) fn find(&self, id: &str, key: &UnverifiedKey) -> Option<Arc<Call>> {
        self.get(id).filter(|call| call.key == *key)
    }

    /// The call, if it is up, whoever created it.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Call>> {
        let table = lock(&self.table);
        let call = table.calls.get(id)?;
        (call.deadline > Instant::now()).then(|| Arc::clone(call))
    }

    /// Forgets a call.
    pub(crate) fn remove(&self, id: &str) {
        let mut table = lock(&self.table);
        table.calls.remove(id);
        table.oldest_first.retain(|it| &**it != id);
    }
}
