//! Whether clients, trails, OpenAI and the database tell the same story.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{
    super::Place,
    faults::Fault,
    history::{Asked, History, Span, Told, What},
    model::Troubles,
};
use crate::support::{client, sim, trail::Record};

/// Everything the replicas left behind.
pub(super) struct Witnesses {
    /// The records of each trail.
    trails: Vec<Vec<Record>>,
    /// What the simulated OpenAI made: last four characters by request.
    minted: HashMap<String, String>,
    /// Ids of all grants in the database.
    grants: BTreeSet<String>,
}

/// What holding them together found.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    pub(super) requests: usize,
    pub(super) secrets: usize,
    pub(super) refusals: usize,
    pub(super) unknown: usize,
    pub(super) minted: usize,
    pub(super) recorded: usize,
    /// Made by OpenAI, and answered to nobody.
    pub(super) orphans: usize,
    /// Of those, the ones the trail says may be.
    pub(super) marked: usize,
    pub(super) differences: Vec<String>,
}

/// What the trails say of one request.
#[derive(Debug, Default)]
struct Noted {
    finals: usize,
    /// Announced, and not ended: the process died.
    open: i64,
    marked: usize,
    success: Option<Success>,
}

impl Noted {
    /// Whether OpenAI's secret was given; a pass is one of our own.
    fn is_secret(&self) -> bool {
        let success = self.success.as_ref();
        success.is_some_and(|success| !success.upstream.is_empty())
    }
}

#[derive(Debug)]
struct Success {
    grant: String,
    last4: String,
    upstream: String,
}

impl Witnesses {
    pub(super) async fn hear(place: &mut Place) -> Self {
        let log = sim::log(&client(), &place.ground.sim.url).await;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let minted = log.iter().filter_map(|entry| {
            Some((
                text(&entry["request_id"])?,
                text(&entry["secret_last_four"])?,
            ))
        });
        let grants = place
            .own_database()
            .run("hallpass", "SELECT id FROM grants");
        Self {
            trails: place.sites.iter().map(|site| site.trail().all()).collect(),
            minted: minted.collect(),
            grants: grants.lines().map(str::to_owned).collect(),
        }
    }

    /// Holds them against what clients were told.
    pub(super) fn agree(&self, history: &[Asked]) -> Agreement {
        let noted = self.noted();
        let mut agreement = Agreement {
            minted: self.minted.len(),
            recorded: noted.values().filter(|it| it.is_secret()).count(),
            marked: noted.values().map(|it| it.marked).sum(),
            ..Agreement::default()
        };
        for asked in history.iter().filter(|it| it.what == What::Mint) {
            agreement.hold(asked, noted.get(&*asked.id), self);
        }
        let given = noted.values().filter_map(|it| it.success.as_ref());
        let given: BTreeSet<&str> = given.map(|success| &*success.upstream).collect();
        let orphans = self.minted.keys().filter(|id| !given.contains(&***id));
        agreement.orphans = orphans.count();
        let died: i64 = noted.values().map(|it| it.open.max(0)).sum();
        let explained = agreement.marked + usize::try_from(died).unwrap_or(0);
        if agreement.orphans > explained {
            let orphans = agreement.orphans;
            agreement.differ(format!(
                "{orphans} secrets nobody got, and only {explained} explained"
            ));
        }
        agreement
    }

    /// By request.
    fn noted(&self) -> HashMap<String, Noted> {
        let mut noted: HashMap<String, Noted> = HashMap::new();
        for record in self.trails.iter().flatten() {
            let Some(id) = record.0["http_request"]["uid"].as_str() else {
                continue;
            };
            let ours = &record.0["unmapped"]["hallpass"];
            let of = noted.entry(id.to_owned()).or_default();
            of.marked += usize::from(ours["upstream"]["orphan_possible"] == true);
            match ours["phase"].as_str() {
                Some("intent") => of.open += 1,
                Some("outcome") => {
                    of.finals += 1;
                    of.open -= 1;
                    if record.action() == "grant.create" && record.outcome() == "success" {
                        of.success = Some(Success {
                            grant: record.grant_id().to_owned(),
                            last4: record.grant()["secret_last4"]
                                .as_str()
                                .unwrap_or_default()
                                .to_owned(),
                            upstream: record.upstream_request().to_owned(),
                        });
                    }
                }
                _ => {}
            }
        }
        noted
    }
}

impl Agreement {
    fn hold(&mut self, asked: &Asked, noted: Option<&Noted>, all: &Witnesses) {
        self.requests += 1;
        let (finals, success) = noted.map_or((0, None), |it| (it.finals, it.success.as_ref()));
        let id = &asked.id;
        if finals > 1 {
            self.differ(format!("{id}: {finals} final records"));
        }
        match &asked.told {
            Told::Secret { grant, last4 } => {
                self.secrets += 1;
                match success {
                    None => self.differ(format!("{id}: a secret without its record")),
                    Some(it) if it.grant != *grant || it.last4 != *last4 => {
                        self.differ(format!("{id}: its record is of another secret"));
                    }
                    Some(_) => {}
                }
            }
            Told::Refused(code) => {
                self.refusals += 1;
                if success.is_some() {
                    self.differ(format!("{id}: told {code}, and recorded as done"));
                }
            }
            Told::Unknown => self.unknown += 1,
            Told::Done => self.differ(format!("{id}: done without a secret")),
        }
        let Some(success) = success else { return };
        if all.minted.get(&success.upstream) != Some(&success.last4) {
            self.differ(format!("{id}: OpenAI made no such secret"));
        }
        if !all.grants.contains(&success.grant) {
            self.differ(format!("{id}: its grant is not in the database"));
        }
    }

    fn differ(&mut self, how: String) {
        if self.differences.len() < 20 {
            self.differences.push(how);
        }
    }
}

/// Failure policies; each has one record when it begins and one when it ends.
const POLICIES: [&str; 2] = ["shared_store", "revocations_stale"];

/// A failure policy of a replica, as its trail tells it.
struct Alarm {
    name: String,
    raised: bool,
    at_ms: i64,
}

/// What each trail says of its replica's troubles, and where that is not in
/// order: each has one beginning and one end, but where the process ended.
pub(super) fn told_troubles(
    all: &Witnesses,
    history: &History,
    faults: &[(Fault, usize, Span)],
) -> (Troubles, usize, Vec<String>) {
    let (mut troubles, mut told, mut wrong) = (Troubles::default(), 0, Vec::new());
    for (fault, victim, span) in faults {
        if fault.empties_redis() {
            troubles.emptied.push(*span);
        }
        if fault.ends_a_replica() {
            troubles.restarted.push((*victim, *span));
        }
        if fault.hides_postgres() {
            troubles.unread.push(*span);
        }
    }
    for (replica, records) in all.trails.iter().enumerate() {
        // Begun, and not ended yet, by the alarm's name.
        let mut open: BTreeMap<String, i64> = BTreeMap::new();
        for record in records {
            if record.action() == "server.start" {
                // With the process ended what it had raised.
                close_all(&mut open, record.0["time"].as_i64(), |since, until| {
                    troubles.alone.push((replica, of(history, since, until)));
                });
            }
            let Some(alarm) = alarm(record) else { continue };
            told += 1;
            let Alarm {
                name,
                raised,
                at_ms,
            } = alarm;
            if raised {
                if open.insert(name.clone(), at_ms).is_some() {
                    wrong.push(format!("r{replica}: {name} raised twice"));
                }
            } else if let Some(since) = open.remove(&name) {
                if name == "shared_store" {
                    troubles.alone.push((replica, of(history, since, at_ms)));
                }
            } else {
                wrong.push(format!("r{replica}: {name} ended, and was not raised"));
            }
        }
        for name in open.keys() {
            wrong.push(format!("r{replica}: {name} did not end"));
        }
    }
    (troubles, told, wrong)
}

fn close_all(
    open: &mut BTreeMap<String, i64>,
    until: Option<i64>,
    mut close: impl FnMut(i64, i64),
) {
    let until = until.unwrap_or(i64::MAX);
    if let Some(since) = open.get("shared_store") {
        close(*since, until);
    }
    open.clear();
}

/// A stretch that a trail tells of. Requests that were under way when it began
/// or ended may have gone by either rule.
fn of(history: &History, since_ms: i64, until_ms: i64) -> Span {
    let span = Span {
        start: history.moment(since_ms),
        end: history.moment(until_ms),
    };
    span.widened(std::time::Duration::from_secs(1))
}

fn alarm(record: &Record) -> Option<Alarm> {
    if record.action() != "security.anomaly" {
        return None;
    }
    let (name, state) = (record.fact("alarm"), record.fact("state"));
    let is_policy = POLICIES.contains(&name) && matches!(state, "raised" | "ended");
    is_policy.then(|| Alarm {
        name: name.to_owned(),
        raised: state == "raised",
        at_ms: record.0["time"].as_i64().unwrap_or_default(),
    })
}
