use super::*;
use crate::alert::Severity;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// An engine and the ids it was given.
struct Case {
    engine: Engine,
    next: u8,
}

impl Case {
    fn of(rule: Rule) -> Self {
        Self::with(vec![rule], Vec::new())
    }

    fn with(rules: Vec<Rule>, active: Vec<Alert>) -> Self {
        Self {
            engine: Engine::new(rules, active),
            next: 0,
        }
    }

    fn judge(&mut self, seconds: i64, levels: &Levels) -> Vec<Turn> {
        let next = &mut self.next;
        self.engine.judge(at(seconds), levels, || {
            *next += 1;
            AlertId::from_random([*next; 16])
        })
    }

    /// Begins and ends only, in short.
    fn turns(&mut self, seconds: i64, levels: &Levels) -> Vec<String> {
        let told = self.judge(seconds, levels).into_iter();
        told.filter_map(|turn| match turn {
            Turn::Started(alert) => Some(format!("+{}", alert.summary)),
            Turn::Ended(alert) => Some(format!("-{}", alert.rule)),
            Turn::Lasts(_) => None,
        })
        .collect()
    }

    fn mint(&mut self, seconds: i64, user: &str, failed: bool) {
        self.engine.take(&Signal::Mint {
            at: at(seconds),
            user: Some(user.to_owned()),
            failed,
        });
    }
}

fn none() -> Levels {
    Levels::default()
}

fn level(kind: RuleKind, value: f64) -> Levels {
    Levels {
        known: vec![Level {
            kind,
            cause: Cause::from([("upstream".to_owned(), "openai".to_owned())]),
            value,
            detail: "upstream_timeout".to_owned(),
        }],
        unknown: BTreeSet::new(),
    }
}

#[test]
fn more_than_five_in_a_hundred_mints_is_a_warning_until_it_is_half_of_that() {
    let mut case = Case::of(Rule::standard(RuleKind::MintFailures));
    for number in 0..19 {
        case.mint(0, "a", number < 2);
    }
    assert_eq!(case.turns(0, &none()), [""; 0], "19 are too few to judge");
    case.mint(0, "a", false);
    let begun = case.turns(1, &none());
    assert_eq!(
        begun,
        ["+10.0 % of the mints of 5 min failed; the limit is 5 %"]
    );
    (0..30).for_each(|_| case.mint(10, "a", false));
    assert_eq!(case.turns(10, &none()), [""; 0], "4 % is no end yet");
    (0..40).for_each(|_| case.mint(20, "a", false));
    assert_eq!(case.turns(20, &none()), ["-mint_failures"]);
}

#[test]
fn the_eleventh_token_of_an_hour_is_told_of_its_user_alone() {
    let mut case = Case::of(Rule::standard(RuleKind::TokensPerUser));
    (0..10).for_each(|_| case.mint(0, "a", false));
    (0..50).for_each(|_| case.mint(0, "b", true));
    assert_eq!(case.turns(0, &none()), [""; 0]);
    case.mint(60, "a", false);
    let begun = case.judge(60, &none());
    let [Turn::Started(alert)] = &begun[..] else {
        panic!("{begun:?}");
    };
    assert_eq!(alert.cause["subject"], "a");
    assert_eq!(alert.severity, Severity::Info);
    assert_eq!(case.turns(61, &none()), [""; 0], "once");
    assert_eq!(case.turns(3 * 3600, &none()), ["-tokens_per_user"]);
}

#[test]
fn a_machine_mints_for_many() {
    let mut case = Case::of(Rule::standard(RuleKind::TokensPerUser));
    for _ in 0..100 {
        case.engine.take(&Signal::Mint {
            at: at(0),
            user: None,
            failed: false,
        });
    }
    assert_eq!(case.turns(0, &none()), [""; 0]);
}

#[test]
fn a_level_has_to_last_and_to_settle() {
    let rule = Rule {
        hold: Duration::from_secs(60),
        settle: Duration::from_secs(30),
        ..Rule::standard(RuleKind::AuditLagging)
    };
    let mut case = Case::of(rule);
    let bad = level(RuleKind::AuditLagging, 1.0);
    assert_eq!(case.turns(0, &bad), [""; 0]);
    assert_eq!(case.turns(30, &none()), [""; 0], "a hiccup");
    assert_eq!(case.turns(40, &bad), [""; 0]);
    assert_eq!(case.turns(90, &bad), [""; 0], "50 seconds");
    assert_eq!(case.turns(100, &bad).len(), 1);
    assert_eq!(case.turns(110, &none()), [""; 0]);
    assert_eq!(case.turns(120, &bad), [""; 0], "it flutters");
    assert_eq!(case.turns(130, &none()), [""; 0]);
    assert_eq!(case.turns(160, &none()), ["-audit_lagging"]);
}

#[test]
fn an_event_is_over_when_it_did_not_happen_again() {
    let mut case = Case::of(Rule::standard(RuleKind::PassReused));
    let reuse = |seconds| Signal::Event {
        at: at(seconds),
        kind: RuleKind::PassReused,
        cause: Cause::from([("about".to_owned(), "gr_1".to_owned())]),
    };
    case.engine.take(&reuse(0));
    assert_eq!(case.turns(0, &none()).len(), 1);
    case.engine.take(&reuse(800));
    assert_eq!(case.turns(1000, &none()), [""; 0]);
    assert_eq!(case.turns(1700, &none()), ["-pass_reused"]);
    case.engine.take(&reuse(2000));
    assert_eq!(case.turns(2000, &none()).len(), 1, "another alert");
}

#[test]
fn what_is_not_known_stays_as_it_was() {
    let mut case = Case::of(Rule::standard(RuleKind::KeyInClientCode));
    assert_eq!(
        case.turns(0, &level(RuleKind::KeyInClientCode, 1.0)).len(),
        1
    );
    let blind = Levels {
        known: Vec::new(),
        unknown: BTreeSet::from([RuleKind::KeyInClientCode]),
    };
    assert_eq!(case.turns(10, &blind), [""; 0]);
    assert_eq!(case.turns(20, &none()), ["-key_in_client_code"]);
}

#[test]
fn a_restart_ends_nothing_and_begins_nothing_twice() {
    let rules = || {
        vec![
            Rule::standard(RuleKind::BreakerOpen),
            Rule::standard(RuleKind::PassReused),
        ]
    };
    let mut before = Case::with(rules(), Vec::new());
    before.engine.take(&Signal::Event {
        at: at(0),
        kind: RuleKind::PassReused,
        cause: Cause::new(),
    });
    let open = level(RuleKind::BreakerOpen, 1.0);
    assert_eq!(before.turns(0, &open).len(), 2);
    let kept: Vec<Alert> = before.engine.active().cloned().collect();
    let ids: Vec<AlertId> = kept.iter().map(|alert| alert.id.clone()).collect();

    let mut after = Case::with(rules(), kept);
    assert_eq!(after.turns(60, &open), [""; 0]);
    let still: Vec<AlertId> = after
        .engine
        .active()
        .map(|alert| alert.id.clone())
        .collect();
    assert_eq!(still, ids);

    let kept: Vec<Alert> = after.engine.active().cloned().collect();
    let mut without = Case::with(Vec::new(), kept);
    assert_eq!(without.turns(70, &open).len(), 2, "their rules are gone");
}

#[test]
fn fewer_days_than_the_threshold_is_an_alert() {
    let mut case = Case::of(Rule::standard(RuleKind::Expiring));
    assert_eq!(case.turns(0, &level(RuleKind::Expiring, 14.0)), [""; 0]);
    assert_eq!(case.turns(1, &level(RuleKind::Expiring, 13.9)).len(), 1);
    assert_eq!(case.turns(2, &level(RuleKind::Expiring, 14.5)), [""; 0]);
    assert_eq!(case.turns(3, &level(RuleKind::Expiring, 90.0)).len(), 1);
}

#[test]
fn a_flood_of_one_rule_leaves_room_for_others() {
    let rules = vec![
        Rule::standard(RuleKind::TokensPerUser),
        Rule::standard(RuleKind::BreakerOpen),
    ];
    let mut case = Case::with(rules, Vec::new());
    for user in 0..300 {
        (0..11).for_each(|_| case.mint(0, &format!("user-{user}"), false));
    }
    let turns = case.turns(0, &level(RuleKind::BreakerOpen, 1.0));
    assert_eq!(turns.len(), MOST_OF_A_RULE + 1);
    assert_eq!(case.engine.suppressed(), 200);
}

#[test]
fn an_alert_that_lasts_is_told_now_and_then() {
    let mut case = Case::of(Rule::standard(RuleKind::BreakerOpen));
    let open = level(RuleKind::BreakerOpen, 1.0);
    let lasting = |turns: Vec<Turn>| turns.iter().any(|turn| matches!(turn, Turn::Lasts(_)));
    assert!(!lasting(case.judge(0, &open)));
    assert!(!lasting(case.judge(29, &open)));
    assert!(lasting(case.judge(30, &open)));
    assert!(!lasting(case.judge(31, &open)));
}
