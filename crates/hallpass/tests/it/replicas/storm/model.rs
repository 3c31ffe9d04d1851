//! The sequential models that a history has to agree with.
//!
//! A limit is GCRA over all replicas at once: in no stretch of time are more
//! let through than its burst, what frees up in that time, and what is stated
//! for the troubles that meet it. A revocation is a switch that every replica
//! sees within its bound. Each request took effect at one moment between its
//! sending and its answer; what is not known to have been done counts neither
//! way, so every violation is one.

use std::{collections::BTreeMap, time::Duration};

use super::history::{Asked, Held, Span, Told, What};

/// A limit: so many at once, and one more each interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) count: u32,
    pub(super) period: Duration,
    pub(super) replicas: u32,
}

/// What happened to the stores and the replicas.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// When Redis lost what it held.
    pub(super) emptied: Vec<Span>,
    /// When a replica went by its share; the replica's number.
    pub(super) alone: Vec<(usize, Span)>,
    /// When a replica began to count anew.
    pub(super) restarted: Vec<(usize, Span)>,
    /// When a replica could not read revocations.
    pub(super) unread: Vec<Span>,
}

impl Limit {
    fn interval(self) -> Duration {
        self.period / self.count
    }

    fn share(self) -> Self {
        Self {
            count: (self.count / self.replicas).max(1),
            ..self
        }
    }

    /// What GCRA lets through in so long at most.
    fn in_time(self, time: Duration) -> u64 {
        u64::from(self.count) + frees(time, self.interval())
    }

    /// The stated bound of a stretch of time.
    fn bound(self, window: Span, troubles: &Troubles) -> u64 {
        let length = window.end - window.start;
        let anew = troubles.emptied.iter().filter(|span| span.meets(window));
        let together = self.in_time(length) + self.count_of(anew.count());
        let alone: u64 = (0..self.replicas as usize)
            .map(|replica| self.alone(replica, window, troubles))
            .sum();
        together + alone
    }

    /// What one replica lets through by its share.
    fn alone(self, replica: usize, window: Span, troubles: &Troubles) -> u64 {
        let of = |all: &[(usize, Span)]| {
            let own = all.iter().filter(|(number, _)| *number == replica);
            own.filter(|(_, span)| span.meets(window)).count()
        };
        if of(&troubles.alone) == 0 {
            return 0;
        }
        let share = self.share();
        share.in_time(window.end - window.start) + share.count_of(of(&troubles.restarted))
    }

    fn count_of(self, times: usize) -> u64 {
        u64::from(self.count) * u64::try_from(times).unwrap_or(u64::MAX)
    }
}

fn frees(time: Duration, interval: Duration) -> u64 {
    u64::try_from(time.as_nanos() / interval.as_nanos().max(1)).unwrap_or(u64::MAX)
}

/// What holding a history against a model found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Requests that were judged.
    pub(super) judged: usize,
    pub(super) violations: Vec<String>,
    /// The nearest to the bound that was seen, of it, in percent; or the
    /// longest time in milliseconds, of sessions where all could read.
    pub(super) most: u64,
}

impl Verdict {
    fn more(&mut self, seen: u64) {
        self.most = self.most.max(seen);
    }
}

/// Never more than the bound, in no stretch of time, for nobody.
pub(super) fn admitted(history: &[Asked], limit: Limit, troubles: &Troubles) -> Verdict {
    let mut verdict = Verdict::default();
    for (person, asked) in by_person(history) {
        let mut let_through: Vec<Span> = asked
            .iter()
            .filter(|it| matches!(it.told, Told::Secret { .. }))
            .map(|it| it.span)
            .collect();
        verdict.judged += let_through.len();
        let_through.sort_by_key(|span| span.end);
        for first in &let_through {
            let inside = let_through.iter().filter(|it| it.start >= first.start);
            for (count, last) in (1_u64..).zip(inside) {
                let window = Span {
                    start: first.start,
                    end: last.end,
                };
                let bound = limit.bound(window, troubles);
                verdict.more(100 * count / bound);
                if count > bound {
                    verdict.violations.push(format!(
                        "{person}: {count} secrets from {:?} to {:?}, and {bound} is the bound",
                        window.start, window.end
                    ));
                }
            }
        }
    }
    verdict.violations.truncate(20);
    verdict
}

/// Nobody is refused by a limit they can't have reached, while all is well.
pub(super) fn refused(history: &[Asked], limit: Limit, troubles: &Troubles) -> Verdict {
    let mut verdict = Verdict::default();
    for (person, mut asked) in by_person(history) {
        asked.sort_by_key(|it| it.span.end);
        // The time at which the limit would be unused, at the latest possible.
        let latest = |before: &Asked| {
            let mut unused = Duration::ZERO;
            let may_count = |it: &&&Asked| {
                it.what == What::Mint
                    && it.span.start <= before.span.end
                    && !is_limited(it)
                    && it.id != before.id
            };
            for it in asked.iter().filter(may_count) {
                unused = unused.max(it.span.end.min(before.span.end)) + limit.interval();
            }
            unused
        };
        for it in asked.iter().filter(|it| is_limited(it)) {
            let alone = troubles.alone.iter().map(|(_, span)| span);
            if alone.into_iter().any(|span| span.meets(it.span)) {
                continue;
            }
            verdict.judged += 1;
            let next = latest(it) + limit.interval();
            if next <= it.span.start + limit.period {
                verdict.violations.push(format!(
                    "{person}: {} was refused at {:?} below the limit",
                    it.id, it.span.start
                ));
            }
        }
    }
    verdict.violations.truncate(20);
    verdict
}

fn is_limited(asked: &Asked) -> bool {
    asked.told == Told::Refused("rate_limited".to_owned())
}

fn is_revoked(asked: &Asked) -> bool {
    asked.told == Told::Refused("access_revoked".to_owned())
}

fn is_accepted(asked: &Asked) -> bool {
    matches!(asked.told, Told::Secret { .. } | Told::Done) || is_limited(asked)
}

/// From when to when a person was revoked, as far as is known.
struct Switch {
    /// The first try, and the answer to the one that was answered.
    revoked: Span,
    /// The same of lifting it, where anyone tried; without an end where no
    /// answer is known.
    lifted: Option<(Duration, Option<Duration>)>,
}

impl Switch {
    /// None where nobody knows whether the person is revoked.
    fn of(asked: &[&Asked]) -> Option<Self> {
        let of = |what: What| {
            let tried = asked.iter().filter(|it| it.what == what);
            let start = tried.clone().map(|it| it.span.start).min()?;
            let done = tried.filter(|it| it.told == Told::Done);
            Some((start, done.map(|it| it.span.end).min()))
        };
        let (start, end) = of(What::Revoke)?;
        Some(Self {
            revoked: Span { start, end: end? },
            lifted: of(What::Lift),
        })
    }
}

/// Nobody is let through later than the bound after their revocation, nor
/// refused by one that is not yet, or no longer, in force.
pub(super) fn revoked(history: &[Asked], bound: Duration) -> Verdict {
    let mut verdict = Verdict::default();
    for (person, asked) in by_person(history) {
        let Some(switch) = Switch::of(&asked) else {
            continue;
        };
        let reached = switch.revoked.end + bound;
        let lifting = switch.lifted.map_or(Duration::MAX, |(start, _)| start);
        let lifted = switch.lifted.and_then(|(_, end)| end);
        let over = lifted.map_or(Duration::MAX, |end| end + bound);
        let probes = asked
            .iter()
            .filter(|it| matches!(it.what, What::Mint | What::List));
        for it in probes {
            let span = it.span;
            verdict.judged += 1;
            let wrong = if is_accepted(it) && span.end < lifting {
                let after = span.start.saturating_sub(switch.revoked.end);
                verdict.more(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
                (span.start > reached).then_some("let through after the bound")
            } else if is_revoked(it) && span.end < switch.revoked.start {
                Some("refused before the revocation")
            } else if is_revoked(it) && span.start > over {
                Some("refused after the bound of its lifting")
            } else {
                None
            };
            if let Some(wrong) = wrong {
                verdict
                    .violations
                    .push(format!("{person}: {} at {:?}: {wrong}", it.id, span.start));
            }
        }
    }
    verdict.violations.truncate(20);
    verdict
}

/// No live session outlives its person's revocation by more than the bound,
/// which begins anew where its replica could not read revocations.
pub(super) fn closed(
    history: &[Asked],
    held: &[Held],
    bound: Duration,
    troubles: &Troubles,
) -> Verdict {
    let mut verdict = Verdict::default();
    let people = by_person(history);
    for session in held {
        let Some(switch) = people.get(&*session.person).and_then(|it| Switch::of(it)) else {
            continue;
        };
        let revoked = switch.revoked.end;
        let closed = session.closed.unwrap_or(Duration::MAX);
        if closed < switch.revoked.start || session.opened > revoked {
            continue;
        }
        verdict.judged += 1;
        let within = Span {
            start: revoked,
            end: revoked + bound,
        };
        let unread = troubles.unread.iter().filter(|span| span.meets(within));
        let read_again = unread.map(|span| span.end).max();
        let due = read_again.unwrap_or(revoked).max(revoked) + bound;
        if closed > due {
            let person = &session.person;
            verdict.violations.push(format!(
                "{person}: revoked at {revoked:?}, session closed at {:?}",
                session.closed
            ));
        } else if read_again.is_none() {
            let after = closed.saturating_sub(revoked);
            verdict.more(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        }
    }
    verdict
}

fn by_person(history: &[Asked]) -> BTreeMap<&str, Vec<&Asked>> {
    let mut people: BTreeMap<&str, Vec<&Asked>> = BTreeMap::new();
    for asked in history {
        people.entry(&asked.person).or_default().push(asked);
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit {
        count: 6,
        period: Duration::from_secs(60),
        replicas: 3,
    };

    fn span(start_ms: u64, end_ms: u64) -> Span {
        Span {
            start: Duration::from_millis(start_ms),
            end: Duration::from_millis(end_ms),
        }
    }

    fn asked(what: What, start_ms: u64, told: Told) -> Asked {
        Asked {
            id: format!("storm-{start_ms}"),
            what,
            person: "a".to_owned(),
            span: span(start_ms, start_ms + 10),
            told,
        }
    }

    fn secrets(times: u64, from_ms: u64) -> Vec<Asked> {
        let secret = |number| {
            let (grant, last4) = (format!("g{number}"), "abcd".to_owned());
            asked(
                What::Mint,
                from_ms + 20 * number,
                Told::Secret { grant, last4 },
            )
        };
        (0..times).map(secret).collect()
    }

    fn refusal(code: &str) -> Told {
        Told::Refused(code.to_owned())
    }

    fn wrong(verdict: &Verdict) -> bool {
        !verdict.violations.is_empty()
    }

    #[test]
    fn one_more_than_the_burst_is_too_many_and_what_frees_up_is_not() {
        let well = Troubles::default();
        assert!(!wrong(&admitted(&secrets(6, 0), LIMIT, &well)));
        assert!(wrong(&admitted(&secrets(7, 0), LIMIT, &well)));
        let mut later = secrets(6, 0);
        later.extend(secrets(1, 10_100));
        assert!(!wrong(&admitted(&later, LIMIT, &well)));
        later.extend(secrets(1, 10_300));
        assert!(wrong(&admitted(&later, LIMIT, &well)));
    }

    #[test]
    fn each_trouble_allows_what_is_stated_and_no_more() {
        let emptied = Troubles {
            emptied: vec![span(112, 118)],
            ..Troubles::default()
        };
        assert!(!wrong(&admitted(&secrets(12, 0), LIMIT, &emptied)));
        assert!(wrong(&admitted(&secrets(13, 0), LIMIT, &emptied)));
        // One replica's share of six is two.
        let alone = Troubles {
            alone: vec![(1, span(50, 60))],
            ..Troubles::default()
        };
        assert!(!wrong(&admitted(&secrets(8, 0), LIMIT, &alone)));
        assert!(wrong(&admitted(&secrets(9, 0), LIMIT, &alone)));
        let restarted = Troubles {
            restarted: vec![(1, span(70, 80))],
            ..alone
        };
        assert!(!wrong(&admitted(&secrets(10, 0), LIMIT, &restarted)));
        assert!(wrong(&admitted(&secrets(11, 0), LIMIT, &restarted)));
        let elsewhere = Troubles {
            emptied: vec![span(5_000, 6_000)],
            ..Troubles::default()
        };
        assert!(wrong(&admitted(&secrets(7, 0), LIMIT, &elsewhere)));
    }

    #[test]
    fn a_refusal_needs_a_limit_that_may_be_reached() {
        let limited = |at| asked(What::Mint, at, refusal("rate_limited"));
        let well = Troubles::default();
        let mut history = secrets(6, 0);
        history.push(limited(200));
        let verdict = refused(&history, LIMIT, &well);
        assert_eq!((verdict.judged, wrong(&verdict)), (1, false));
        let mut early = secrets(3, 0);
        early.push(limited(200));
        assert!(wrong(&refused(&early, LIMIT, &well)));
        // What nobody heard of may have counted.
        for number in 0..3 {
            early.push(asked(What::Mint, 100 + number, Told::Unknown));
        }
        assert!(!wrong(&refused(&early, LIMIT, &well)));
        // Long after, all is free again.
        history.push(limited(70_000));
        assert!(wrong(&refused(&history, LIMIT, &well)));
        let alone = Troubles {
            alone: vec![(0, span(69_000, 71_000))],
            ..well
        };
        assert!(!wrong(&refused(&history, LIMIT, &alone)));
    }

    #[test]
    fn a_revocation_holds_from_its_bound_to_its_lifting() {
        let bound = Duration::from_secs(1);
        let list = |at, told| asked(What::List, at, told);
        let mut history = vec![
            list(0, Told::Done),
            asked(What::Revoke, 100, Told::Done),
            list(900, Told::Done),
            list(1_000, refusal("access_revoked")),
            list(1_500, refusal("store_unavailable")),
        ];
        let verdict = revoked(&history, bound);
        assert!(!wrong(&verdict), "{:?}", verdict.violations);
        assert_eq!(verdict.most, 790);
        for late in [
            list(1_200, Told::Done),
            // Whoever is told of a limit was let in.
            list(1_200, refusal("rate_limited")),
            list(50, refusal("access_revoked")),
        ] {
            let mut history = history.clone();
            history.push(late);
            assert!(wrong(&revoked(&history, bound)));
        }
        history.push(asked(What::Lift, 3_000, Told::Done));
        history.push(list(3_005, Told::Done));
        history.push(list(3_500, refusal("access_revoked")));
        assert!(!wrong(&revoked(&history, bound)));
        history.push(list(4_100, refusal("access_revoked")));
        assert!(wrong(&revoked(&history, bound)));
    }

    #[test]
    fn a_session_ends_within_the_bound_or_that_of_a_replica_that_could_not_know() {
        let (bound, history) = (
            Duration::from_secs(1),
            [asked(What::Revoke, 100, Told::Done)],
        );
        let session = |closed: Option<u64>| Held {
            person: "a".to_owned(),
            opened: Duration::ZERO,
            closed: closed.map(Duration::from_millis),
        };
        let well = Troubles::default();
        let verdict = closed(&history, &[session(Some(600))], bound, &well);
        assert_eq!((verdict.judged, verdict.most), (1, 490));
        assert!(wrong(&closed(
            &history,
            &[session(Some(1_200))],
            bound,
            &well
        )));
        assert!(wrong(&closed(&history, &[session(None)], bound, &well)));
        let unread = Troubles {
            unread: vec![span(500, 900)],
            ..well
        };
        assert!(!wrong(&closed(
            &history,
            &[session(Some(1_200))],
            bound,
            &unread
        )));
        assert!(wrong(&closed(
            &history,
            &[session(Some(2_000))],
            bound,
            &unread
        )));
    }
}
