//! The contract of [`UsageLedger`].

use std::{collections::HashMap, ops::Range, sync::Arc};

use hallpass_core::{
    grant::Mode,
    ids::{LiveId, ProfileName, RoleName, Subject},
    money::NanoUsd,
    usage::{
        Account, Activity, ActivityKey, Grouping, Happening, Hour, Source, Tally, Tokens, Usage,
        UsageKey, UsageLedger, UsageQuery, UsageTotal,
    },
};

/// Every check, as a test of its own, on what `$fresh` makes: a ledger of
/// nothing behind an `Arc`, and whatever must live as long.
#[macro_export]
macro_rules! usage_contract {
    ($fresh:path) => {
        $crate::checks!(
            usage,
            $fresh,
            what_is_added_is_spent_at_once,
            what_a_page_reports_is_kept_apart,
            totals_agree_however_they_are_grouped,
            only_what_is_asked_for_is_told,
            another_day_is_another_sum,
            hours_are_told_in_their_order,
            what_the_trail_counts_stands_beside_usage,
            a_range_of_a_trail_counts_once,
            many_are_counted_together,
            each_trail_has_its_own_place,
            old_days_are_forgotten,
        );
    };
}

const TRAIL: &str = "trail-1";

/// An hour, so many after a noon.
fn hour(number: i64) -> Hour {
    Hour::of(hallpass_core::Timestamp::from_second(1_800_014_400 + number * 3600).unwrap())
}

fn key(day: i64, session: &str, subject: &str, model: &str) -> UsageKey {
    UsageKey {
        hour: hour(24 * day),
        session: session.to_owned(),
        subject: Subject::new(subject).unwrap(),
        role: RoleName::new("candidate").unwrap(),
        profile: ProfileName::new("interview").unwrap(),
        mode: Some(Mode::Relay),
        model: model.to_owned(),
        source: Source::Measured,
    }
}

fn used(cost: u64) -> Usage {
    Usage {
        responses: 1,
        tokens: Tokens {
            input_text: 10,
            input_audio: 30,
            cached_audio: 5,
            output_audio: 20,
            ..Tokens::default()
        },
        live_ms: 1000,
        cost: NanoUsd(cost),
        ..Usage::default()
    }
}

fn by(by: &[Grouping]) -> UsageQuery {
    UsageQuery {
        by: by.to_vec(),
        limit: 100,
        ..UsageQuery::default()
    }
}

fn subject(name: &str) -> Account {
    Account::Subject(Subject::new(name).unwrap())
}

fn counted(number: i64, subject: &str, happening: &Happening) -> ActivityKey {
    ActivityKey {
        hour: hour(number),
        subject: subject.to_owned(),
        profile: "interview".to_owned(),
        mode: "relay".to_owned(),
        model: "m".to_owned(),
        source: Source::Measured,
        happening: happening.clone(),
    }
}

const fn times(times: u64) -> Tally {
    Tally {
        times,
        cost: NanoUsd::ZERO,
    }
}

async fn groups(ledger: &Arc<dyn UsageLedger>, query: &UsageQuery) -> Vec<UsageTotal> {
    ledger.totals(query).await.unwrap().groups
}

/// What the trail counts there, of all groups together.
async fn told(ledger: &Arc<dyn UsageLedger>, query: &UsageQuery, happening: &Happening) -> u64 {
    let groups = groups(ledger, query).await;
    let tallies = groups.iter().filter_map(|it| it.activity.get(happening));
    tallies.map(|tally| tally.times).sum()
}

/// What is added is spent at once.
pub async fn what_is_added_is_spent_at_once(ledger: &Arc<dyn UsageLedger>) {
    let key = key(0, "ls_1", "a", "m");
    ledger.add(&key, &used(5));
    ledger.add(&key, &used(7));
    assert_eq!(ledger.spent(&subject("a"), key.hour.day).cost, NanoUsd(12));
    let role = Account::Role(key.role.clone());
    assert_eq!(ledger.spent(&role, key.hour.day).responses, 2);
    assert!(ledger.spent(&subject("b"), key.hour.day).is_empty());
}

/// What a page reports is kept apart.
pub async fn what_a_page_reports_is_kept_apart(ledger: &Arc<dyn UsageLedger>) {
    let measured = key(0, "ls_1", "a", "m");
    let reported = UsageKey {
        source: Source::Reported,
        ..measured.clone()
    };
    ledger.add(&measured, &used(5));
    ledger.add(&reported, &used(3));
    assert_eq!(ledger.spent(&subject("a"), measured.hour.day).responses, 1);
    let totals = groups(ledger, &by(&[Grouping::Subject])).await;
    let told = |total: &UsageTotal| (total.source, total.sessions, total.usage);
    assert_eq!(
        totals.iter().map(told).collect::<Vec<_>>(),
        [
            (Source::Measured, 1, used(5)),
            (Source::Reported, 1, used(3))
        ]
    );
}

/// Totals agree however they are grouped.
pub async fn totals_agree_however_they_are_grouped(ledger: &Arc<dyn UsageLedger>) {
    ledger.add(&key(0, "ls_1", "a", "m"), &used(1));
    ledger.add(&key(0, "ls_1", "a", "asr"), &used(2));
    ledger.add(&key(0, "ls_2", "a", "m"), &used(4));
    ledger.add(&key(1, "ls_3", "b", "m"), &used(8));
    let told = |grouping: &'static [Grouping]| async move {
        let totals = groups(ledger, &by(grouping)).await;
        let cost: u64 = totals.iter().map(|it| it.usage.cost.0).sum();
        assert_eq!(cost, 15, "{grouping:?}");
        let row = |total: UsageTotal| (total.group.join(" "), total.sessions, total.usage.cost.0);
        totals.into_iter().map(row).collect::<Vec<_>>()
    };
    let row = |name: &str, sessions, cost| (name.to_owned(), sessions, cost);
    assert_eq!(
        told(&[Grouping::Subject]).await,
        [row("b", 1, 8), row("a", 2, 7)]
    );
    assert_eq!(
        told(&[Grouping::Model]).await,
        [row("m", 3, 13), row("asr", 1, 2)]
    );
    assert_eq!(
        told(&[Grouping::Subject, Grouping::Model]).await,
        [row("b m", 1, 8), row("a m", 2, 5), row("a asr", 1, 2)]
    );
    assert_eq!(told(&[Grouping::Session]).await.len(), 3);
    let day = |number| hour(number).day.to_string();
    assert_eq!(
        told(&[Grouping::Day]).await,
        [row(&day(0), 2, 7), row(&day(24), 1, 8)]
    );
    assert_eq!(
        told(&[Grouping::Hour]).await,
        [
            row(&hour(0).to_string(), 2, 7),
            row(&hour(24).to_string(), 1, 8)
        ]
    );
    assert_eq!(told(&[Grouping::Profile]).await, [row("interview", 3, 15)]);
    assert_eq!(told(&[Grouping::Role]).await, [row("candidate", 3, 15)]);
    assert_eq!(told(&[Grouping::Mode]).await, [row("relay", 3, 15)]);
    assert_eq!(told(&[]).await, [row("", 3, 15)]);
}

/// Only what is asked for is told, and whether there is more.
pub async fn only_what_is_asked_for_is_told(ledger: &Arc<dyn UsageLedger>) {
    let direct = UsageKey {
        mode: Some(Mode::Direct),
        ..key(0, "gr_1", "a", "m")
    };
    ledger.add(&direct, &used(1));
    ledger.add(&key(0, "ls_1", "a", "asr"), &used(2));
    ledger.add(&key(0, "ls_2", "b", "m"), &used(4));
    let cost = |query: UsageQuery| async move {
        let totals = groups(ledger, &query).await;
        totals.iter().map(|it| it.usage.cost.0).sum::<u64>()
    };
    let all = by(&[]);
    for (query, expected) in [
        (all.clone(), 7),
        (
            UsageQuery {
                mode: Some(Mode::Direct),
                ..all.clone()
            },
            1,
        ),
        (
            UsageQuery {
                model: Some("asr".to_owned()),
                ..all.clone()
            },
            2,
        ),
        (
            UsageQuery {
                subject: Some(Subject::new("b").unwrap()),
                ..all.clone()
            },
            4,
        ),
        (
            UsageQuery {
                profile: Some(ProfileName::new("another").unwrap()),
                ..all.clone()
            },
            0,
        ),
        (
            UsageQuery {
                session: Some(LiveId::new("ls_2").unwrap()),
                ..all.clone()
            },
            4,
        ),
    ] {
        assert_eq!(cost(query.clone()).await, expected, "{query:?}");
    }
    let first = UsageQuery {
        limit: 1,
        ..by(&[Grouping::Subject])
    };
    let totals = ledger.totals(&first).await.unwrap();
    assert_eq!((totals.groups.len(), totals.more), (1, true));
    assert_eq!(totals.groups[0].group, ["b"], "the dearest first");
    let both = UsageQuery { limit: 2, ..first };
    assert!(!ledger.totals(&both).await.unwrap().more);
}

/// Another day is another sum.
pub async fn another_day_is_another_sum(ledger: &Arc<dyn UsageLedger>) {
    let (today, tomorrow) = (key(0, "ls_1", "a", "m"), key(1, "ls_1", "a", "m"));
    ledger.add(&today, &used(5));
    ledger.add(&tomorrow, &used(1));
    assert_eq!(
        ledger.spent(&subject("a"), tomorrow.hour.day).cost,
        NanoUsd(1)
    );
    let day = |day| Hour { day, of_day: None };
    for (from, to, expected) in [
        (None, Some(day(today.hour.day)), 5),
        (Some(day(tomorrow.hour.day)), None, 1),
        (Some(today.hour), Some(tomorrow.hour), 6),
    ] {
        let query = UsageQuery {
            from,
            to,
            ..by(&[])
        };
        let totals = groups(ledger, &query).await;
        assert_eq!(totals[0].usage.cost, NanoUsd(expected), "{from:?} {to:?}");
    }
}

/// Hours are told in their order, the newest where not all are asked for.
pub async fn hours_are_told_in_their_order(ledger: &Arc<dyn UsageLedger>) {
    for (number, cost) in [(3, 1), (1, 9), (2, 5)] {
        let key = UsageKey {
            hour: hour(number),
            ..key(0, "ls_1", "a", "m")
        };
        ledger.add(&key, &used(cost));
    }
    let costs = |query: UsageQuery| async move {
        let totals = groups(ledger, &query).await;
        let cost = |total: &UsageTotal| total.usage.cost.0;
        totals.iter().map(cost).collect::<Vec<_>>()
    };
    assert_eq!(costs(by(&[Grouping::Hour])).await, [9, 5, 1]);
    let newest = UsageQuery {
        limit: 2,
        ..by(&[Grouping::Hour])
    };
    assert_eq!(costs(newest).await, [5, 1]);
    let one = UsageQuery {
        from: Some(hour(2)),
        to: Some(hour(2)),
        ..by(&[Grouping::Hour])
    };
    assert_eq!(costs(one).await, [5]);
}

/// What the trail counts stands beside usage, also where nothing was used.
pub async fn what_the_trail_counts_stands_beside_usage(ledger: &Arc<dyn UsageLedger>) {
    ledger.add(&key(0, "ls_1", "a", "m"), &used(5));
    let minted = Happening::plain(Activity::Minted);
    let limited = Happening::because(Activity::MintRefused, "rate_limited");
    let ended = Happening::because(Activity::Ended, "time_limit");
    let cost = Tally {
        times: 1,
        cost: NanoUsd(5),
    };
    let said = ActivityKey {
        source: Source::Reported,
        ..counted(1, "b", &ended)
    };
    let counts = HashMap::from([
        (counted(0, "a", &minted), times(2)),
        (counted(0, "a", &ended), cost),
        (counted(0, "b", &minted), times(1)),
        (counted(1, "b", &limited), times(7)),
        (said, times(4)),
    ]);
    ledger.count(TRAIL, 0..11, &counts).await.unwrap();
    let subjects = by(&[Grouping::Subject]);
    let totals = groups(ledger, &subjects).await;
    let names: Vec<_> = totals
        .iter()
        .map(|it| (it.group.join(" "), it.source))
        .collect();
    let name = |text: &str, source| (text.to_owned(), source);
    assert_eq!(
        names,
        [
            name("a", Source::Measured),
            name("b", Source::Measured),
            name("b", Source::Reported)
        ],
        "the dearest first, then those of whom most is told"
    );
    assert_eq!(totals[0].activity[&minted], times(2));
    assert_eq!(totals[0].activity[&ended], cost);
    assert_eq!((totals[1].sessions, totals[1].usage), (0, Usage::default()));
    assert_eq!(totals[1].activity[&minted], times(1));
    assert_eq!(totals[2].activity[&ended], times(4));
    let hours = groups(ledger, &by(&[Grouping::Hour])).await;
    assert_eq!(hours[0].activity[&minted], times(3));
    assert_eq!(hours[1].activity[&limited], times(7));
    let direct = UsageQuery {
        mode: Some(Mode::Direct),
        ..by(&[])
    };
    assert_eq!(groups(ledger, &direct).await, []);
    let roles = groups(ledger, &by(&[Grouping::Role])).await;
    assert_eq!(roles.len(), 1);
    assert!(roles[0].activity.is_empty(), "records name no role");
}

/// A range of a trail counts once, however often it is given.
pub async fn a_range_of_a_trail_counts_once(ledger: &Arc<dyn UsageLedger>) {
    assert_eq!(ledger.counted(TRAIL).await.unwrap(), 0);
    let minted = Happening::plain(Activity::Minted);
    let counts = HashMap::from([(counted(0, "a", &minted), times(2))]);
    let count = |range: Range<u64>| ledger.count(TRAIL, range, &counts);
    count(0..4).await.unwrap();
    count(0..4).await.unwrap();
    assert_eq!(told(ledger, &by(&[]), &minted).await, 2);
    count(4..9).await.unwrap();
    ledger.count(TRAIL, 9..12, &HashMap::new()).await.unwrap();
    assert_eq!(ledger.counted(TRAIL).await.unwrap(), 12);
    assert!(count(15..20).await.is_err(), "12 to 15 would be left out");
    assert!(count(10..20).await.is_err(), "10 to 12 would count twice");
    assert_eq!(ledger.counted(TRAIL).await.unwrap(), 12);
    assert_eq!(told(ledger, &by(&[]), &minted).await, 4);
}

/// However many are counted together, none is left out, at first and again.
pub async fn many_are_counted_together(ledger: &Arc<dyn UsageLedger>) {
    let minted = Happening::plain(Activity::Minted);
    let of = |number: u64| counted(0, &format!("user-{number}"), &minted);
    let counts: HashMap<_, _> = (1..=77).map(|it| (of(it), times(it))).collect();
    ledger.count(TRAIL, 0..100, &counts).await.unwrap();
    ledger.count(TRAIL, 100..200, &counts).await.unwrap();
    let subjects = groups(ledger, &by(&[Grouping::Subject])).await;
    let told = subjects.iter().map(|it| it.activity[&minted].times);
    let expected = (1..=77).rev().map(|it| 2 * it);
    assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// Each trail has its own place, and all of them count together.
pub async fn each_trail_has_its_own_place(ledger: &Arc<dyn UsageLedger>) {
    let minted = Happening::plain(Activity::Minted);
    let counts = HashMap::from([(counted(0, "a", &minted), times(2))]);
    ledger.count(TRAIL, 0..4, &counts).await.unwrap();
    ledger.count("trail-2", 0..9, &counts).await.unwrap();
    assert_eq!(ledger.counted(TRAIL).await.unwrap(), 4);
    assert_eq!(ledger.counted("trail-2").await.unwrap(), 9);
    assert_eq!(told(ledger, &by(&[]), &minted).await, 4);
}

/// Old days are forgotten.
pub async fn old_days_are_forgotten(ledger: &Arc<dyn UsageLedger>) {
    let (old, new) = (key(0, "ls_1", "a", "m"), key(5, "ls_2", "a", "m"));
    ledger.add(&old, &used(5));
    ledger.add(&new, &used(1));
    let minted = Happening::plain(Activity::Minted);
    let counts = HashMap::from([(counted(0, "a", &minted), times(2))]);
    ledger.count(TRAIL, 0..1, &counts).await.unwrap();
    let days = by(&[Grouping::Day]);
    assert_eq!(groups(ledger, &days).await.len(), 2);
    assert_eq!(ledger.forget(new.hour.day).await.unwrap(), 2);
    assert_eq!(groups(ledger, &days).await.len(), 1);
    assert_eq!(ledger.counted(TRAIL).await.unwrap(), 1, "its place stays");
}
