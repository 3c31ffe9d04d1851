//! The contract of [`UsageLedger`].

use std::sync::Arc;

use hallpass_core::{
    ids::{ProfileName, RoleName, Subject},
    money::NanoUsd,
    usage::{
        Account, Grouping, Source, Tokens, Usage, UsageKey, UsageLedger, UsageQuery, UsageTotal,
        day_of,
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
            another_day_is_another_sum,
            old_days_are_forgotten,
        );
    };
}

fn key(day: i64, session: &str, subject: &str, model: &str) -> UsageKey {
    let noon = hallpass_core::Timestamp::from_second(1_800_014_400 + day * 86_400).unwrap();
    UsageKey {
        day: day_of(noon),
        session: session.to_owned(),
        subject: Subject::new(subject).unwrap(),
        role: RoleName::new("candidate").unwrap(),
        profile: ProfileName::new("interview").unwrap(),
        model: model.to_owned(),
        source: Source::Measured,
    }
}

fn used(cost: u64) -> Usage {
    Usage {
        responses: 1,
        tokens: Tokens {
            input_text: 10,
            output_audio: 20,
            ..Tokens::default()
        },
        live_ms: 1000,
        cost: NanoUsd(cost),
        ..Usage::default()
    }
}

fn by(by: Grouping) -> UsageQuery {
    UsageQuery {
        from: None,
        to: None,
        subject: None,
        profile: None,
        session: None,
        by,
        limit: 100,
    }
}

fn subject(name: &str) -> Account {
    Account::Subject(Subject::new(name).unwrap())
}

/// What is added is spent at once.
pub async fn what_is_added_is_spent_at_once(ledger: &Arc<dyn UsageLedger>) {
    let key = key(0, "ls_1", "a", "m");
    ledger.add(&key, &used(5));
    ledger.add(&key, &used(7));
    assert_eq!(ledger.spent(&subject("a"), key.day).cost, NanoUsd(12));
    let role = Account::Role(key.role.clone());
    assert_eq!(ledger.spent(&role, key.day).responses, 2);
    assert!(ledger.spent(&subject("b"), key.day).is_empty());
}

/// What a page reports is kept apart.
pub async fn what_a_page_reports_is_kept_apart(ledger: &Arc<dyn UsageLedger>) {
    let measured = key(0, "ls_1", "a", "m");
    let reported = UsageKey {
        source: Source::Reported,
        ..measured.clone()
    };
    ledger.add(&measured, &used(5));
    ledger.add(&reported, &used(0));
    assert_eq!(ledger.spent(&subject("a"), measured.day).responses, 1);
    let totals = ledger.totals(&by(Grouping::Subject)).await.unwrap();
    let sources: Vec<Source> = totals.iter().map(|total| total.source).collect();
    assert_eq!(sources, [Source::Measured, Source::Reported]);
}

/// Totals agree however they are grouped.
pub async fn totals_agree_however_they_are_grouped(ledger: &Arc<dyn UsageLedger>) {
    ledger.add(&key(0, "ls_1", "a", "m"), &used(1));
    ledger.add(&key(0, "ls_1", "a", "asr"), &used(2));
    ledger.add(&key(0, "ls_2", "a", "m"), &used(4));
    ledger.add(&key(1, "ls_3", "b", "m"), &used(8));
    let groups = |grouping| async move {
        let totals = ledger.totals(&by(grouping)).await.unwrap();
        let cost: u64 = totals.iter().map(|total| total.usage.cost.0).sum();
        assert_eq!(cost, 15, "{grouping}");
        let row = |total: UsageTotal| (total.group, total.sessions, total.usage.cost.0);
        totals.into_iter().map(row).collect::<Vec<_>>()
    };
    let row = |name: &str, sessions, cost| (name.to_owned(), sessions, cost);
    assert_eq!(
        groups(Grouping::Subject).await,
        [row("b", 1, 8), row("a", 2, 7)]
    );
    assert_eq!(
        groups(Grouping::Model).await,
        [row("m", 3, 13), row("asr", 1, 2)]
    );
    assert_eq!(groups(Grouping::Session).await.len(), 3);
    assert_eq!(groups(Grouping::Day).await.len(), 2);
    assert_eq!(groups(Grouping::Profile).await, [row("interview", 3, 15)]);
    assert_eq!(groups(Grouping::Role).await, [row("candidate", 3, 15)]);
}

/// Another day is another sum.
pub async fn another_day_is_another_sum(ledger: &Arc<dyn UsageLedger>) {
    let (today, tomorrow) = (key(0, "ls_1", "a", "m"), key(1, "ls_1", "a", "m"));
    ledger.add(&today, &used(5));
    ledger.add(&tomorrow, &used(1));
    assert_eq!(ledger.spent(&subject("a"), tomorrow.day).cost, NanoUsd(1));
    let only_today = UsageQuery {
        to: Some(today.day),
        ..by(Grouping::Subject)
    };
    let totals = ledger.totals(&only_today).await.unwrap();
    assert_eq!(totals[0].usage, used(5));
}

/// Old days are forgotten.
pub async fn old_days_are_forgotten(ledger: &Arc<dyn UsageLedger>) {
    let (old, new) = (key(0, "ls_1", "a", "m"), key(5, "ls_2", "a", "m"));
    ledger.add(&old, &used(5));
    ledger.add(&new, &used(1));
    assert_eq!(ledger.totals(&by(Grouping::Day)).await.unwrap().len(), 2);
    assert_eq!(ledger.forget(new.day).await.unwrap(), 1);
    assert_eq!(ledger.totals(&by(Grouping::Day)).await.unwrap().len(), 1);
}
