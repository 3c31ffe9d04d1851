//! Which alerts begin and end: a state machine over what it is told.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::{
    fired::{Alert, AlertId, Cause, Fingerprint},
    rule::{Measure, Rule, RuleKind},
    signal::{Level, Levels, Signal},
    windows::{Span, Window, Windows},
    words,
};
use crate::Timestamp;

/// Most alerts of one rule at once; who floods one rule hides no other.
const MOST_OF_A_RULE: usize = 100;
/// How often an alert that lasts is told again, so that a restart knows of it.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// What became of an alert.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// It began.
    Started(Alert),
    /// It lasts, and has another value; for whoever keeps it.
    Lasts(Alert),
    /// It ended.
    Ended(Alert),
}

/// Watches by rules. Time is passed in, and never goes back for long.
#[derive(Debug)]
pub struct Engine {
    watches: Vec<Watch>,
    active: BTreeMap<Fingerprint, Active>,
    suppressed: u64,
}

#[derive(Debug)]
struct Active {
    alert: Alert,
    well_since: Option<Timestamp>,
    told_at: Timestamp,
}

/// One rule and what it remembers.
#[derive(Debug)]
struct Watch {
    rule: Rule,
    share: Window,
    counts: Windows,
    events: HashMap<Fingerprint, Happened>,
    beyond_since: HashMap<Fingerprint, Timestamp>,
}

#[derive(Debug)]
struct Happened {
    cause: Cause,
    last: Timestamp,
    times: u32,
}

/// What a rule says of one cause now.
struct Reading {
    cause: Cause,
    value: f64,
    detail: String,
    is_beyond: bool,
    is_well: bool,
}

impl Engine {
    /// Watches by these rules; `active` are alerts that lasted when it was last
    /// stopped.
    #[must_use]
    pub fn new(rules: Vec<Rule>, active: Vec<Alert>) -> Self {
        let mut watches: Vec<Watch> = rules.into_iter().map(Watch::new).collect();
        for alert in &active {
            let same = |watch: &&mut Watch| watch.rule.name == alert.rule;
            if let Some(watch) = watches.iter_mut().find(same) {
                watch.remember(alert);
            }
        }
        let entered = |alert: Alert| {
            let kept = Active {
                told_at: alert.last_seen_at,
                well_since: None,
                alert,
            };
            (kept.alert.fingerprint.clone(), kept)
        };
        Self {
            watches,
            active: active.into_iter().map(entered).collect(),
            suppressed: 0,
        }
    }

    /// Takes in what happened.
    pub fn take(&mut self, signal: &Signal) {
        for watch in &mut self.watches {
            watch.take(signal);
        }
    }

    /// Judges how things are; what begins and ends by it.
    pub fn judge(
        &mut self,
        now: Timestamp,
        levels: &Levels,
        mut next_id: impl FnMut() -> AlertId,
    ) -> Vec<Turn> {
        let mut turns = self.end_those_without_a_rule(now);
        for watch in &mut self.watches {
            let readings = watch.readings(now, levels);
            let mut seen = BTreeSet::new();
            for reading in readings {
                let fingerprint = Fingerprint::of(&watch.rule.name, &reading.cause);
                seen.insert(fingerprint.clone());
                if let Some(active) = self.active.get_mut(&fingerprint) {
                    turns.extend(active.goes_on(&watch.rule, &reading, now));
                    continue;
                }
                if !watch.fires(&fingerprint, &reading, now) {
                    continue;
                }
                if self
                    .active
                    .values()
                    .filter(|it| it.is_of(&watch.rule))
                    .count()
                    >= MOST_OF_A_RULE
                {
                    self.suppressed += 1;
                    continue;
                }
                let alert = started(&watch.rule, next_id(), fingerprint, reading, now);
                turns.push(Turn::Started(alert.clone()));
                self.active.insert(
                    alert.fingerprint.clone(),
                    Active {
                        alert,
                        well_since: None,
                        told_at: now,
                    },
                );
            }
            watch.beyond_since.retain(|it, _| seen.contains(it));
            if levels.unknown.contains(&watch.rule.kind) {
                continue;
            }
            for (fingerprint, active) in &mut self.active {
                if active.is_of(&watch.rule) && !seen.contains(fingerprint) {
                    active.well_since.get_or_insert(now);
                    turns.extend(active.settles(&watch.rule, now));
                }
            }
        }
        self.active.retain(|_, active| active.alert.is_active());
        turns
    }

    /// The alerts that last.
    pub fn active(&self) -> impl Iterator<Item = &Alert> {
        self.active.values().map(|active| &active.alert)
    }

    /// How often an alert was not begun because its rule had too many.
    #[must_use]
    pub const fn suppressed(&self) -> u64 {
        self.suppressed
    }

    fn end_those_without_a_rule(&mut self, now: Timestamp) -> Vec<Turn> {
        let watches = &self.watches;
        let mut turns = Vec::new();
        for active in self.active.values_mut() {
            if !watches.iter().any(|watch| active.is_of(&watch.rule)) {
                turns.push(active.end(now));
            }
        }
        self.active.retain(|_, active| active.alert.is_active());
        turns
    }
}

impl Active {
    fn is_of(&self, rule: &Rule) -> bool {
        self.alert.rule == rule.name
    }

    fn goes_on(&mut self, rule: &Rule, reading: &Reading, now: Timestamp) -> Option<Turn> {
        if reading.is_well {
            self.well_since.get_or_insert(now);
            return self.settles(rule, now);
        }
        self.well_since = None;
        self.alert.last_seen_at = now;
        #[allow(clippy::float_cmp, reason = "the very value it had before")]
        if self.alert.value != reading.value {
            self.alert.value = reading.value;
            self.alert.summary =
                words::summary(rule, &self.alert.cause, reading.value, &reading.detail);
        }
        if passed(self.told_at, now) < TOLD_EVERY {
            return None;
        }
        self.told_at = now;
        Some(Turn::Lasts(self.alert.clone()))
    }

    /// Ends it once it was well for long enough.
    fn settles(&mut self, rule: &Rule, now: Timestamp) -> Option<Turn> {
        let since = self.well_since?;
        (passed(since, now) >= rule.settle && self.alert.is_active()).then(|| self.end(now))
    }

    fn end(&mut self, now: Timestamp) -> Turn {
        self.alert.ended_at = Some(now);
        Turn::Ended(self.alert.clone())
    }
}

impl Watch {
    fn new(rule: Rule) -> Self {
        Self {
            share: Window::default(),
            counts: Windows::new(rule.window),
            events: HashMap::new(),
            beyond_since: HashMap::new(),
            rule,
        }
    }

    /// Takes in an alert that lasted before a restart.
    fn remember(&mut self, alert: &Alert) {
        if self.rule.kind.measure() == Measure::Event {
            let happened = Happened {
                cause: alert.cause.clone(),
                last: alert.last_seen_at,
                times: 1,
            };
            self.events.insert(alert.fingerprint.clone(), happened);
        }
    }

    fn take(&mut self, signal: &Signal) {
        match signal {
            Signal::Mint { at, user, failed } => match self.rule.kind {
                RuleKind::MintFailures => {
                    self.share.note(Span::new(self.rule.window), *at, *failed);
                }
                RuleKind::TokensPerUser if !failed => {
                    if let Some(user) = user {
                        self.counts.note(user, *at);
                    }
                }
                _ => {}
            },
            Signal::Event { at, kind, cause } if *kind == self.rule.kind => {
                let fingerprint = Fingerprint::of(&self.rule.name, cause);
                let happened = self.events.entry(fingerprint).or_insert_with(|| Happened {
                    cause: cause.clone(),
                    last: *at,
                    times: 0,
                });
                happened.last = happened.last.max(*at);
                happened.times = happened.times.saturating_add(1);
            }
            Signal::Event { .. } => {}
        }
    }

    fn readings(&mut self, now: Timestamp, levels: &Levels) -> Vec<Reading> {
        match self.rule.kind.measure() {
            Measure::Share => vec![self.share_now(now)],
            Measure::Count => {
                // One that is well and one that is not there end an alert alike.
                let rule = &self.rule;
                let matters = |count| !rule.is_well(f64::from(count));
                let sums = self.counts.sums(now, matters);
                let reading = |(user, count)| {
                    let cause = Cause::from([("subject".to_owned(), user)]);
                    Reading::of(&self.rule, cause, f64::from(count))
                };
                sums.into_iter().map(reading).collect()
            }
            Measure::Event => self.events_now(now),
            Measure::Level => {
                let ours = |level: &&Level| level.kind == self.rule.kind;
                let known = levels.known.iter().filter(ours);
                known
                    .map(|level| Reading {
                        detail: level.detail.clone(),
                        ..Reading::of(&self.rule, level.cause.clone(), level.value)
                    })
                    .collect()
            }
        }
    }

    fn share_now(&mut self, now: Timestamp) -> Reading {
        let (all, bad) = self.share.sums(Span::new(self.rule.window), now);
        let percent = f64::from(bad) * 100.0 / f64::from(all.max(1));
        let mut reading = Reading::of(&self.rule, Cause::new(), percent);
        reading.is_beyond &= all >= self.rule.min_mints;
        reading
    }

    fn events_now(&mut self, now: Timestamp) -> Vec<Reading> {
        let window = self.rule.window;
        self.events
            .retain(|_, happened| passed(happened.last, now) < window);
        let reading = |happened: &Happened| Reading {
            cause: happened.cause.clone(),
            value: f64::from(happened.times),
            detail: String::new(),
            is_beyond: true,
            is_well: false,
        };
        self.events.values().map(reading).collect()
    }

    /// Whether it is beyond the threshold for long enough.
    fn fires(&mut self, fingerprint: &Fingerprint, reading: &Reading, now: Timestamp) -> bool {
        if !reading.is_beyond {
            self.beyond_since.remove(fingerprint);
            return false;
        }
        let since = *self.beyond_since.entry(fingerprint.clone()).or_insert(now);
        passed(since, now) >= self.rule.hold
    }
}

impl Reading {
    fn of(rule: &Rule, cause: Cause, value: f64) -> Self {
        Self {
            cause,
            value,
            detail: String::new(),
            is_beyond: rule.is_beyond(value),
            is_well: rule.is_well(value),
        }
    }
}

fn started(
    rule: &Rule,
    id: AlertId,
    fingerprint: Fingerprint,
    reading: Reading,
    now: Timestamp,
) -> Alert {
    Alert {
        id,
        fingerprint,
        rule: rule.name.clone(),
        kind: rule.kind,
        severity: rule.severity,
        summary: words::summary(rule, &reading.cause, reading.value, &reading.detail),
        cause: reading.cause,
        value: reading.value,
        threshold: rule.threshold,
        started_at: now,
        last_seen_at: now,
        ended_at: None,
        acknowledged: None,
    }
}

/// Time from one moment to a later one; none where the clock went back.
fn passed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
