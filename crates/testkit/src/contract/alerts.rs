//! The contract of [`AlertBook`] and [`Outbox`], which one store keeps together.

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    alert::{
        Acknowledgement, Alert, AlertBook, AlertFilter, AlertId, Cause, Fingerprint, Letter,
        Outbox, Rule, RuleKind,
    },
    ids::Subject,
};

/// A store of alerts and letters.
pub trait AlertStore: AlertBook + Outbox {}

impl<T: AlertBook + Outbox> AlertStore for T {}

/// Every check, as a test of its own, on what `$fresh` makes: an empty store
/// behind an `Arc`, and whatever must live as long.
#[macro_export]
macro_rules! alerts_contract {
    ($fresh:path) => {
        $crate::checks!(
            alerts,
            $fresh,
            what_is_kept_is_found_as_it_was,
            an_alert_that_ended_is_history,
            alerts_are_listed_by_filter_and_page,
            the_first_acknowledgement_stays,
            old_history_is_forgotten,
            letters_are_due_in_their_order,
            letters_of_one_cause_wait_for_each_other,
            a_letter_that_is_put_off_is_due_later,
            letters_to_strangers_are_taken_out,
        );
    };
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn alert(number: u8, kind: RuleKind, about: &str) -> Alert {
    let rule = Rule::standard(kind);
    let cause = Cause::from([("about".to_owned(), about.to_owned())]);
    let begun = at(i64::from(number));
    Alert {
        id: AlertId::from_random([number; 16]),
        fingerprint: Fingerprint::of(&rule.name, &cause),
        rule: rule.name.clone(),
        kind,
        severity: rule.severity,
        cause,
        summary: "It happened".to_owned(),
        value: 1.5,
        threshold: rule.threshold,
        started_at: begun,
        last_seen_at: begun,
        ended_at: None,
        acknowledged: None,
    }
}

fn letter(number: u8, receiver: &str, alert: &Alert) -> Letter {
    Letter {
        id: format!("msg_{number}"),
        receiver: receiver.to_owned(),
        alert: alert.clone(),
        written_at: at(i64::from(number)),
        tries: 0,
    }
}

fn first(limit: usize) -> AlertFilter {
    AlertFilter {
        limit,
        ..AlertFilter::default()
    }
}

async fn ids<S: AlertStore>(store: &Arc<S>, filter: &AlertFilter) -> Vec<AlertId> {
    let found = store.list(filter).await.unwrap();
    found.into_iter().map(|alert| alert.id).collect()
}

fn id(number: u8) -> AlertId {
    AlertId::from_random([number; 16])
}

async fn due<S: AlertStore>(store: &Arc<S>, receiver: &str, seconds: i64) -> Vec<String> {
    let letters = store.due(receiver, at(seconds), 10).await.unwrap();
    letters.into_iter().map(|letter| letter.id).collect()
}

/// What is kept is found as it was.
pub async fn what_is_kept_is_found_as_it_was<S: AlertStore>(store: &Arc<S>) {
    let kept = alert(1, RuleKind::BreakerOpen, "ä \"quoted\"");
    store.keep(std::slice::from_ref(&kept), &[]).await.unwrap();
    assert_eq!(store.active().await.unwrap(), std::slice::from_ref(&kept));
    let later = Alert {
        value: 2.0,
        last_seen_at: at(60),
        ..kept
    };
    store.keep(std::slice::from_ref(&later), &[]).await.unwrap();
    assert_eq!(store.active().await.unwrap(), [later]);
}

/// An alert that ended is history, and no longer active.
pub async fn an_alert_that_ended_is_history<S: AlertStore>(store: &Arc<S>) {
    let mut ended = alert(1, RuleKind::BreakerOpen, "a");
    let lasting = alert(2, RuleKind::BreakerOpen, "b");
    store
        .keep(&[ended.clone(), lasting.clone()], &[])
        .await
        .unwrap();
    ended.ended_at = Some(at(30));
    store.keep(std::slice::from_ref(&ended), &[]).await.unwrap();
    assert_eq!(store.active().await.unwrap(), [lasting]);
    let history = AlertFilter {
        active: Some(false),
        ..first(10)
    };
    assert_eq!(store.list(&history).await.unwrap(), [ended]);
}

/// Alerts are listed newest first, by filter and page by page.
pub async fn alerts_are_listed_by_filter_and_page<S: AlertStore>(store: &Arc<S>) {
    let mut all: Vec<Alert> = (1..=5)
        .map(|number| alert(number, RuleKind::BreakerOpen, &number.to_string()))
        .collect();
    all.push(alert(6, RuleKind::TokensPerUser, "a"));
    // Two that began together are told in the order of their ids.
    all[4].started_at = all[3].started_at;
    store.keep(&all, &[]).await.unwrap();
    assert_eq!(
        ids(store, &first(10)).await,
        [id(6), id(4), id(5), id(3), id(2), id(1)]
    );
    let mut page = first(2);
    let mut seen = Vec::new();
    loop {
        let found = store.list(&page).await.unwrap();
        let Some(last) = found.last() else { break };
        page.after = Some((last.started_at, last.id.clone()));
        seen.extend(found.into_iter().map(|alert| alert.id));
    }
    assert_eq!(seen, ids(store, &first(10)).await);
    let of = |change: &dyn Fn(&mut AlertFilter)| {
        let mut filter = first(10);
        change(&mut filter);
        filter
    };
    let by_rule = of(&|it| it.rule = Some("tokens_per_user".to_owned()));
    assert_eq!(ids(store, &by_rule).await, [id(6)]);
    let severe = of(&|it| it.severity = Some(Rule::standard(RuleKind::BreakerOpen).severity));
    assert_eq!(ids(store, &severe).await.len(), 5);
    let same = of(&|it| it.fingerprint = Some(all[1].fingerprint.clone()));
    assert_eq!(ids(store, &same).await, [id(2)]);
    let between = of(&|it| (it.since, it.until) = (Some(at(2)), Some(at(4))));
    assert_eq!(ids(store, &between).await, [id(3), id(2)]);
}

/// The first acknowledgement stays, whoever comes after and whatever changes.
pub async fn the_first_acknowledgement_stays<S: AlertStore>(store: &Arc<S>) {
    let kept = alert(1, RuleKind::BreakerOpen, "a");
    store.keep(std::slice::from_ref(&kept), &[]).await.unwrap();
    let by = |name: &str| Acknowledgement {
        by: Subject::new(name).unwrap(),
        at: at(10),
        note: Some("looking".to_owned()),
    };
    let seen = store.acknowledge(&kept.id, &by("ada")).await.unwrap();
    assert_eq!(seen.unwrap().acknowledged, Some(by("ada")));
    let again = store.acknowledge(&kept.id, &by("bob")).await.unwrap();
    assert_eq!(again.unwrap().acknowledged, Some(by("ada")));
    // The engine knows nothing of it.
    store.keep(std::slice::from_ref(&kept), &[]).await.unwrap();
    let active = store.active().await.unwrap();
    assert_eq!(active[0].acknowledged, Some(by("ada")));
    assert_eq!(store.acknowledge(&id(9), &by("ada")).await.unwrap(), None);
}

/// Old history is forgotten; what lasts never is.
pub async fn old_history_is_forgotten<S: AlertStore>(store: &Arc<S>) {
    let lasting = alert(1, RuleKind::BreakerOpen, "a");
    let ended = |number, seconds| Alert {
        ended_at: Some(at(seconds)),
        ..alert(number, RuleKind::BreakerOpen, "b")
    };
    let all = [lasting, ended(2, 50), ended(3, 100)];
    store.keep(&all, &[]).await.unwrap();
    assert_eq!(store.forget(at(100)).await.unwrap(), 1);
    assert_eq!(ids(store, &first(10)).await, [id(3), id(1)]);
}

/// Letters are due in the order they were written, each to its receiver.
pub async fn letters_are_due_in_their_order<S: AlertStore>(store: &Arc<S>) {
    let (one, two) = (
        alert(1, RuleKind::BreakerOpen, "a"),
        alert(2, RuleKind::BreakerOpen, "b"),
    );
    let letters = [
        letter(1, "ops", &one),
        letter(2, "ops", &two),
        letter(3, "chat", &one),
    ];
    store.keep(&[one.clone(), two], &letters).await.unwrap();
    assert_eq!(due(store, "ops", 10).await, ["msg_1", "msg_2"]);
    assert_eq!(due(store, "chat", 10).await, ["msg_3"]);
    assert_eq!(due(store, "ops", 1).await, ["msg_1"]);
    let whole = store.due("ops", at(10), 1).await.unwrap();
    assert_eq!(whole, [letters[0].clone()]);
    assert_eq!(store.waiting("ops").await.unwrap(), 2);
    store.remove("msg_1").await.unwrap();
    assert_eq!(due(store, "ops", 10).await, ["msg_2"]);
    assert_eq!(store.waiting("ops").await.unwrap(), 1);
}

/// Letters of one cause wait for each other.
pub async fn letters_of_one_cause_wait_for_each_other<S: AlertStore>(store: &Arc<S>) {
    let begun = alert(1, RuleKind::BreakerOpen, "a");
    let ended = Alert {
        ended_at: Some(at(2)),
        ..begun.clone()
    };
    let other = alert(3, RuleKind::BreakerOpen, "b");
    let letters = [
        letter(1, "ops", &begun),
        letter(2, "ops", &ended),
        letter(3, "ops", &other),
    ];
    store.keep(&[ended, other], &letters).await.unwrap();
    assert_eq!(due(store, "ops", 10).await, ["msg_1", "msg_3"]);
    store.put_off("msg_1", at(100)).await.unwrap();
    assert_eq!(due(store, "ops", 10).await, ["msg_3"]);
    store.remove("msg_1").await.unwrap();
    assert_eq!(due(store, "ops", 10).await, ["msg_2", "msg_3"]);
}

/// A letter that is put off is due later, and its tries are counted.
pub async fn a_letter_that_is_put_off_is_due_later<S: AlertStore>(store: &Arc<S>) {
    let begun = alert(1, RuleKind::BreakerOpen, "a");
    let letters = [letter(1, "ops", &begun)];
    store
        .keep(std::slice::from_ref(&begun), &letters)
        .await
        .unwrap();
    assert_eq!(store.next_due("ops").await.unwrap(), Some(at(1)));
    store.put_off("msg_1", at(60)).await.unwrap();
    assert!(due(store, "ops", 59).await.is_empty());
    assert_eq!(store.next_due("ops").await.unwrap(), Some(at(60)));
    let again = store.due("ops", at(60), 1).await.unwrap();
    assert_eq!(again[0].tries, 1);
    assert_eq!(store.next_due("chat").await.unwrap(), None);
}

/// Letters to receivers that are no more are taken out.
pub async fn letters_to_strangers_are_taken_out<S: AlertStore>(store: &Arc<S>) {
    let begun = alert(1, RuleKind::BreakerOpen, "a");
    let letters = [letter(1, "ops", &begun), letter(2, "gone", &begun)];
    store
        .keep(std::slice::from_ref(&begun), &letters)
        .await
        .unwrap();
    let known = ["ops".to_owned(), "new".to_owned()];
    assert_eq!(store.keep_only(&known).await.unwrap(), 1);
    assert_eq!(due(store, "ops", 10).await, ["msg_1"]);
    assert_eq!(store.keep_only(&[]).await.unwrap(), 1);
}
