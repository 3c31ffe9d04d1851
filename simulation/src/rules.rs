//! What must hold whatever the network does, held against what clients saw.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use hallpass_core::{
    audit::{Action, Phase},
    ids::GrantId,
};

use crate::{
    openai::State,
    policy::PER_MINUTE,
    remote::Remote,
    replica::{BOUND, Site},
    trace,
    trail::Kept,
};

/// The period of the limit.
const MINUTE: Duration = Duration::from_secs(60);
/// From the end of the faults until every call is in one replica's care: until
/// a silent one is taken for dead, by one that is steady, and a look.
pub(crate) const CARED_FOR: Duration = Duration::from_secs(16);

/// What clients saw.
#[derive(Default)]
struct Seen {
    /// Who was given a secret, and when.
    given: Vec<(String, Duration)>,
    /// When each revocation was answered.
    revoked: BTreeMap<String, Duration>,
    /// Calls that were answered, by the grant of their pass.
    called: BTreeMap<String, u32>,
    /// Refusals, by their status.
    refused: BTreeMap<u16, u32>,
    wrong: Vec<String>,
}

/// A time in which replicas may have counted alone, or anew, and by how many
/// times the limit more may pass for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slack {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) limits: u32,
}

/// Whoever sees a rule broken says so here.
#[derive(Clone, Default)]
pub(crate) struct Rules(Arc<Mutex<Seen>>);

impl Rules {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }

    pub(crate) fn broken(&self, how: String) {
        self.seen().wrong.push(how);
    }

    pub(crate) fn refused(&self, status: u16) {
        *self.seen().refused.entry(status).or_default() += 1;
    }

    pub(crate) fn revoked(&self, subject: &str) {
        self.seen()
            .revoked
            .entry(subject.to_owned())
            .or_insert_with(trace::now);
    }

    /// A person was given a secret, direct from OpenAI or one of ours.
    pub(crate) fn given(
        &self,
        site: &Site,
        (subject, sent): (&str, Duration),
        (grant, secret): (&str, &str),
    ) {
        self.accepted(subject, sent, "a secret");
        self.seen().given.push((subject.to_owned(), trace::now()));
        let direct = !secret.starts_with("ek_hp_");
        if direct && !knows(&site.openai, secret) {
            self.broken(format!("{grant} has a secret OpenAI never gave"));
        }
        let kept = site.disk.records();
        let has = |phase| {
            let of_grant = |it: &&Kept| is(it, grant) && it.action == Action::GrantCreate;
            kept.iter().filter(of_grant).any(|it| it.phase == phase)
        };
        if !has(Phase::Outcome) || (direct && !has(Phase::Intent)) {
            self.broken(format!(
                "{grant} was answered before its records were durable"
            ));
        }
    }

    /// A person's call was answered.
    pub(crate) fn called(&self, site: &Site, (subject, sent): (&str, Duration), grant: &str) {
        self.accepted(subject, sent, "a call");
        *self.seen().called.entry(grant.to_owned()).or_default() += 1;
        let kept = site.disk.records();
        let mut of_grant = kept.iter().filter(|it| is(it, grant) && it.success);
        if !of_grant.any(|it| it.action == Action::SessionCall) {
            self.broken(format!(
                "the call of {grant} was answered before its record was durable"
            ));
        }
    }

    fn accepted(&self, subject: &str, sent: Duration, what: &str) {
        let revoked = self.seen().revoked.get(subject).copied();
        if let Some(at) = revoked.filter(|at| sent > *at + BOUND) {
            let late = sent - at;
            self.broken(format!(
                "{subject} got {what} asked for {late:?} after a revocation"
            ));
        }
    }

    /// Holds what was seen, and the trails of all replicas, against each other.
    pub(crate) fn at_the_end(&self, sites: &[Site], slack: &[Slack]) {
        self.limits(slack);
        self.passes(sites);
        let left = sites[0].database.see(|truth| truth.calls.len());
        if left > 0 {
            self.broken(format!(
                "{left} calls are still standing long after their time"
            ));
        }
    }

    fn limits(&self, slack: &[Slack]) {
        let given = self.seen().given.clone();
        for (subject, to) in &given {
            let from = to.saturating_sub(MINUTE);
            let within = |at: &Duration| (from..=*to).contains(at);
            let of = given
                .iter()
                .filter(|(who, at)| who == subject && within(at));
            let came = u32::try_from(of.count()).unwrap();
            let more = slack.iter().filter(|it| it.from <= *to && it.to >= from);
            let most = PER_MINUTE * (2 + more.map(|it| it.limits).sum::<u32>());
            if came > most {
                self.broken(format!("{subject} got {came} secrets within a minute, up to {to:?}; {most} is the bound"));
                return;
            }
        }
    }

    fn passes(&self, sites: &[Site]) {
        let twice: Vec<String> = {
            let seen = self.seen();
            let twice = seen.called.iter().filter(|(_, count)| **count > 1);
            twice.map(|(grant, _)| grant.clone()).collect()
        };
        for grant in twice {
            self.broken(format!("the pass of {grant} opened more than one call"));
        }
        let mut starts: BTreeMap<GrantId, u32> = BTreeMap::new();
        for kept in sites.iter().flat_map(|site| site.disk.records()) {
            let began = kept.action == Action::SessionStart && kept.success;
            if let Some(grant) = kept.grant.filter(|_| began) {
                *starts.entry(grant).or_default() += 1;
            }
        }
        for (grant, count) in starts.into_iter().filter(|(_, count)| *count > 1) {
            self.broken(format!("{count} sessions began with the pass of {grant}"));
        }
    }

    /// Once the faults are over and time has passed: every call that lasts is in
    /// the care of one replica, and none of someone who was revoked lasts.
    pub(crate) fn once_calm(&self, sites: &[Site], now: Duration) {
        let live = sites[0].openai.see(|state| state.live.clone());
        let standing = sites[0].database.see(|truth| {
            let calls = truth.calls.values().map(|(call, _)| {
                let grant = truth.grants.get(&call.grant);
                (
                    call.place.call_id.clone(),
                    grant.map(|it| it.subject.to_string()),
                )
            });
            calls.collect::<Vec<_>>()
        });
        let carried = sites[0].carried.lock().unwrap().clone();
        for (call, subject) in standing.into_iter().filter(|(id, _)| live.contains_key(id)) {
            let by = carried
                .values()
                .filter(|it| it.of_call(&call).is_some())
                .count();
            if by != 1 {
                self.broken(format!("{by} replicas carry {call}"));
            }
            let revoked = self
                .seen()
                .revoked
                .get(&subject.unwrap_or_default())
                .copied();
            if revoked.is_some_and(|at| at + BOUND + CARED_FOR < now) {
                self.broken(format!("{call} lasts, and its caller was revoked"));
            }
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let seen = self.seen();
        Counts {
            secrets: seen.given.len(),
            calls: seen.called.len(),
            revoked: seen.revoked.len(),
            refused: seen.refused.clone(),
        }
    }

    pub(crate) fn wrong(&self) -> Vec<String> {
        self.seen().wrong.clone()
    }
}

fn is(kept: &Kept, grant: &str) -> bool {
    kept.grant.as_ref().is_some_and(|it| it.as_str() == grant)
}

fn knows(openai: &Remote<State>, secret: &str) -> bool {
    openai.see(|state| state.secrets.contains(secret))
}

/// How much happened: a simulation in which nothing does shows nothing.
pub(crate) struct Counts {
    secrets: usize,
    calls: usize,
    revoked: usize,
    refused: BTreeMap<u16, u32>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            secrets,
            calls,
            revoked,
            refused,
        } = self;
        write!(
            f,
            "secrets {secrets} calls {calls} revoked {revoked} refused {refused:?}"
        )
    }
}
