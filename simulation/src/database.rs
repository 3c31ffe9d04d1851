//! The database that replicas share, as one state that outlives everyone.
//!
//! Its rules are those of `store-postgres`: one statement is one step, changes
//! of revocations have one order, and a call is in one replica's care.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use hallpass_core::{call::StandingCall, grant::Grant, ids::GrantId, revocation::Revocation};

use crate::{remote::Remote, trace};

/// Where it listens.
pub(crate) const PORT: u16 = 5432;
/// Who has not been heard of for this long is dead.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(6);
/// How long a question waits for its answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// Everything that lasts.
#[derive(Default)]
pub(crate) struct Truth {
    pub(crate) revision: u64,
    pub(crate) revocations: Vec<(u64, Revocation)>,
    pub(crate) grants: BTreeMap<GrantId, Grant>,
    /// Calls, and the process that cares for each.
    pub(crate) calls: BTreeMap<String, (StandingCall, u64)>,
    /// Calls that were given to a process other than the one that made them.
    pub(crate) orphans: BTreeSet<String>,
    /// When each process was last heard of, by this host's clock.
    pub(crate) beats: BTreeMap<u64, Duration>,
}

impl Truth {
    /// Puts a revocation in force, or gives the one of its scope.
    pub(crate) fn revoke(&mut self, revocation: Revocation) -> (u64, Revocation) {
        let mut known = self.revocations.iter();
        if let Some(known) = known.find(|(_, known)| known.scope == revocation.scope) {
            return known.clone();
        }
        self.revision += 1;
        self.revocations.push((self.revision, revocation.clone()));
        (self.revision, revocation)
    }

    /// What was put in force after a revision.
    pub(crate) fn since(&self, revision: u64) -> (u64, Vec<Revocation>) {
        let newer = self.revocations.iter().filter(|(at, _)| *at > revision);
        let newer = newer.map(|(_, revocation)| revocation.clone());
        (self.revision, newer.collect())
    }

    pub(crate) fn beat(&mut self, process: u64) {
        self.beats.insert(process, trace::now());
    }

    /// Gives a process the calls of those that are dead; silence counts only
    /// for who is steady himself.
    pub(crate) fn adopt(&mut self, process: u64, steady: bool) -> Vec<StandingCall> {
        let mut given = Vec::new();
        for (id, (call, owner)) in &mut self.calls {
            let heard = self.beats.get(owner);
            let silent = heard.is_none_or(|at| trace::now().saturating_sub(*at) > DEAD_AFTER);
            let again = *owner == process && self.orphans.contains(id);
            if again || (*owner != process && steady && silent) {
                *owner = process;
                self.orphans.insert(id.clone());
                given.push(call.clone());
            }
        }
        given
    }

    /// The calls in a process's care.
    pub(crate) fn calls_of(&self, process: u64) -> BTreeSet<String> {
        let ours = self
            .calls
            .iter()
            .filter(|(_, (_, owner))| *owner == process);
        ours.map(|(id, _)| id.clone()).collect()
    }
}

/// The way to the database.
pub(crate) fn database() -> Remote<Truth> {
    Remote::new("database", PORT, Truth::default())
}
