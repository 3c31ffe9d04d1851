//! Those who follow a trail are told what its files say, record by record.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{path::Path, sync::Arc};

use hallpass_audit::{Follower, Record, RecordFollower, RecordSummary, Trail};
use hallpass_core::{
    Timestamp,
    audit::{Action, AuditEvent, Outcome, Phase},
    code::Code,
    ids::{CredentialId, Subject},
    ports::AuditLog,
};
use proptest::prelude::*;
use strum::IntoEnumIterator;
use support::{
    append_all, caller, draft, event, grant, open_hastily, quick_dir, request, trail_of,
};

/// More than wait for one who follows.
const TOO_MANY: usize = 12_000;

fn follower(dir: &Path, next: u64, trail: &Trail) -> RecordFollower {
    RecordFollower::new(dir, next, &trail.progress())
}

/// All records there are: their numbers, and whether they were told.
fn followed(follower: &mut RecordFollower, trail: &Trail) -> Vec<(u64, bool)> {
    let durable = trail.progress().durable();
    let mut found = Vec::new();
    while let Some((number, record)) = follower.next_record(durable).unwrap() {
        found.push((number, matches!(record, Record::Told(_))));
    }
    found
}

/// Appends records without waiting for each.
async fn append_many(trail: &Trail, count: usize) {
    let on_their_way: Vec<_> = (0..count).map(|n| trail.append(event(n))).collect();
    for durable in on_their_way {
        durable.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_there_is_read_and_what_comes_is_told() {
    let dir = quick_dir();
    trail_of(dir.path(), 5, 900).await;
    let (trail, _) = open_hastily(dir.path()).unwrap();
    append_all(&trail, [event(5)]).await;
    let mut follower = follower(dir.path(), 2, &trail);
    append_all(&trail, [event(6), event(7)]).await;
    let found = followed(&mut follower, &trail);
    let read = (2..6).map(|number| (number, false));
    let told = (6..8).map(|number| (number, true));
    assert_eq!(found, read.chain(told).collect::<Vec<_>>());
    append_all(&trail, [event(8)]).await;
    assert_eq!(followed(&mut follower, &trail), [(8, true)]);
    assert_eq!(follower.next_sequence(), 9);
}

#[tokio::test]
async fn who_lags_reads_what_it_was_not_told_and_misses_nothing() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let mut follower = follower(dir.path(), 0, &trail);
    append_all(&trail, [event(0)]).await;
    assert_eq!(followed(&mut follower, &trail), [(0, true)]);
    append_many(&trail, TOO_MANY).await;
    let found = followed(&mut follower, &trail);
    let numbers: Vec<u64> = found.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=TOO_MANY as u64).collect::<Vec<_>>());
    assert!(!found[0].1 && found[TOO_MANY - 1].1);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_passed_over_on_demand() {
    let dir = quick_dir();
    trail_of(dir.path(), 3, 1 << 20).await;
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let mut follower = follower(dir.path(), 0, &trail);
    append_all(&trail, [event(3)]).await;
    let path = &support::segments(dir.path())[0];
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, text.lines().next().unwrap()).unwrap();
    let durable = trail.progress().durable();
    for _ in 0..2 {
        assert!(follower.next_record(durable).is_err());
    }
    (0..3).for_each(|_| follower.pass_over());
    assert_eq!(followed(&mut follower, &trail), [(3, true)]);
}

fn outcome(number: usize, reason: &str) -> Outcome {
    let (code, reason) = (Code::RateLimited, Some(reason.to_owned()));
    match number {
        0 => Outcome::Success,
        1 => Outcome::Refused { code, reason },
        2 => Outcome::Failed { code, reason },
        3 => Outcome::Abandoned,
        _ => Outcome::Pending,
    }
}

/// An event of any action, with any of the parts an event can have.
fn any_event() -> impl Strategy<Value = AuditEvent> {
    let actions: Vec<Action> = Action::iter().collect();
    let phases = vec![Phase::Outcome, Phase::Outcome, Phase::Intent];
    let facts = prop::sample::subsequence(
        vec![
            "profile", "mode", "requests", "count", "reason", "live_ms", "cost_usd", "reported",
            "about",
        ],
        0..9,
    );
    (
        prop::sample::select(actions),
        prop::sample::select(phases),
        0..5_usize,
        any::<[bool; 5]>(),
        facts,
        prop_oneof![
            any::<String>(),
            Just("7".to_owned()),
            Just("1.000000007".to_owned())
        ],
        -1_000_000_000_000..2_000_000_000_000_000_i64,
    )
        .prop_map(|(action, phase, ended, parts, facts, text, micros)| {
            let time = Timestamp::from_microsecond(micros).unwrap();
            let mut event = AuditEvent::outcome(time, action, outcome(ended, &text));
            event.phase = phase;
            let mut caller = caller();
            caller.subject = Subject::new(&*text).unwrap_or(caller.subject);
            event.caller = parts[0].then(|| Arc::new(caller));
            event.credential = parts[1].then(|| CredentialId::new("key_1").unwrap());
            event.request = parts[2].then(|| Arc::new(request()));
            event.draft = parts[3].then(|| Arc::new(draft()));
            event.grant = parts[4].then(|| Arc::new(grant()));
            let facts = facts.into_iter().map(|name| (name, text.clone()));
            event.facts = facts.collect();
            event
        })
}

/// All that a summary says.
fn said(seen: Option<&RecordSummary<'_>>) -> Option<Vec<String>> {
    let seen = seen?;
    let text = |text: Option<&str>| format!("{text:?}");
    let mut said = vec![
        format!("{:?} {:?} {:?}", seen.time, seen.action, seen.outcome),
        format!("{:?} {}", seen.counted(), seen.is_request),
        text(seen.code.as_deref()),
        text(seen.subject.as_deref()),
        text(seen.scheme.as_deref()),
        text(seen.profile.as_deref()),
        text(seen.mode.as_deref()),
    ];
    let names = [
        "profile", "mode", "requests", "count", "reason", "live_ms", "cost_usd", "about",
    ];
    said.extend(names.map(|name| text(seen.fact(name))));
    Some(said)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_told_of_an_event_is_what_its_line_says(
        events in prop::collection::vec(any_event(), 64),
    ) {
        let dir = quick_dir();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (trail, _) = open_hastily(dir.path()).unwrap();
        let mut told = follower(dir.path(), 0, &trail);
        runtime.block_on(append_all(&trail, events));
        let durable = trail.progress().durable();
        let mut lines = Follower::new(dir.path(), 0);
        while let Some((number, line)) = lines.next_line(durable).unwrap() {
            let (same, record) = told.next_record(durable).unwrap().unwrap();
            prop_assert_eq!(same, number);
            prop_assert!(matches!(record, Record::Told(_)));
            let (told, read) = (record.summary(), RecordSummary::of(line));
            prop_assert_eq!(said(told.as_ref()), said(read.as_ref()));
        }
        prop_assert!(told.next_record(durable).unwrap().is_none());
    }
}
