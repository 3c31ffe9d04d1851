//! Rows added up by what is asked for.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use hallpass_core::usage::{
    ActivityKey, Grouping, Hour, Source, Tallies, Tally, Usage, UsageKey, UsageQuery, UsageTotal,
    UsageTotals,
};

#[derive(Default)]
struct Group<'a> {
    sessions: HashSet<&'a str>,
    usage: Usage,
    activity: Tallies,
}

pub(super) fn totals(
    query: &UsageQuery,
    rows: &HashMap<UsageKey, Usage>,
    activity: &HashMap<ActivityKey, Tally>,
) -> UsageTotals {
    let mut groups: BTreeMap<(Vec<String>, Source), Group<'_>> = BTreeMap::new();
    for (key, usage) in rows {
        let columns = Columns::of_usage(key);
        if !columns.are_wanted(query) {
            continue;
        }
        let group = groups.entry((columns.group(query), key.source));
        let group = group.or_default();
        group.sessions.insert(&key.session);
        group.usage.add(usage);
    }
    let counted = activity.iter().filter(|_| query.counts_activity());
    for (key, tally) in counted {
        let columns = Columns::of_activity(key);
        if !columns.are_wanted(query) {
            continue;
        }
        let group = groups.entry((columns.group(query), key.source));
        let tallies = &mut group.or_default().activity;
        let sum = tallies.entry(key.happening.clone()).or_default();
        sum.add(*tally);
    }
    let groups = groups.into_iter().map(|((group, source), of)| UsageTotal {
        group,
        source,
        sessions: of.sessions.len() as u64,
        usage: of.usage,
        activity: of.activity,
    });
    let mut groups: Vec<UsageTotal> = groups.collect();
    groups.sort_by_cached_key(|total| order(query, total));
    query.cut(groups)
}

/// Newest first where they stand in time, then the dearest, then those of whom
/// most was counted.
fn order(query: &UsageQuery, total: &UsageTotal) -> impl Ord + use<> {
    let newest = query.in_time().then(|| total.group.first().cloned());
    let times: u64 = total.activity.values().map(|tally| tally.times).sum();
    (
        Reverse(newest),
        Reverse(total.usage.cost),
        Reverse(times),
        total.group.clone(),
        total.source,
    )
}

/// What a row is found and grouped by.
struct Columns<'a> {
    hour: Hour,
    session: &'a str,
    subject: &'a str,
    role: &'a str,
    profile: &'a str,
    mode: &'a str,
    model: &'a str,
}

impl<'a> Columns<'a> {
    fn of_usage(key: &'a UsageKey) -> Self {
        Self {
            hour: key.hour,
            session: &key.session,
            subject: key.subject.as_str(),
            role: key.role.as_str(),
            profile: key.profile.as_str(),
            mode: key.mode.map_or("", Into::into),
            model: &key.model,
        }
    }

    fn of_activity(key: &'a ActivityKey) -> Self {
        Self {
            hour: key.hour,
            session: "",
            subject: &key.subject,
            role: "",
            profile: &key.profile,
            mode: &key.mode,
            model: &key.model,
        }
    }

    fn are_wanted(&self, query: &UsageQuery) -> bool {
        let texts = query.texts();
        let mut texts = texts.iter();
        query.spans(self.hour) && texts.all(|(column, text)| self.text(column) == text)
    }

    fn text(&self, column: &str) -> &str {
        match column {
            "session" => self.session,
            "subject" => self.subject,
            "profile" => self.profile,
            "mode" => self.mode,
            _ => self.model,
        }
    }

    fn group(&self, query: &UsageQuery) -> Vec<String> {
        let name = |by: &Grouping| match by {
            Grouping::Session => self.session.to_owned(),
            Grouping::Subject => self.subject.to_owned(),
            Grouping::Role => self.role.to_owned(),
            Grouping::Profile => self.profile.to_owned(),
            Grouping::Mode => self.mode.to_owned(),
            Grouping::Model => self.model.to_owned(),
            Grouping::Day => self.hour.day.to_string(),
            Grouping::Hour => self.hour.to_string(),
        };
        query.by.iter().map(name).collect()
    }
}
