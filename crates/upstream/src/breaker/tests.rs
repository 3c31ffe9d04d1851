//! Traces through the state machine, and what holds in all of them.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A breaker with a clock that is wound by hand; nothing is shortened.
struct Bench {
    breaker: Breaker,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            breaker: Breaker::new(BreakerSettings::default(), now),
            now,
        }
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    /// One call with this result; false when it was not let through.
    fn call(&mut self, verdict: Verdict) -> bool {
        let Some((ticket, _)) = self.breaker.admit(self.now) else {
            return false;
        };
        self.end(ticket, verdict);
        true
    }

    fn end(&mut self, ticket: Ticket, verdict: Verdict) -> Option<Change> {
        let cause = Some(Code::UpstreamUnavailable);
        self.breaker
            .record(ticket, verdict, cause, self.now, |_| Duration::ZERO)
    }

    fn fail(&mut self, times: usize) -> &mut Self {
        (0..times).for_each(|_| assert!(self.call(Verdict::Unwell)));
        self
    }

    fn state(&self) -> BreakerState {
        self.breaker.state()
    }
}

#[test]
fn five_failures_in_a_row_open_it() {
    let mut bench = Bench::new();
    bench.fail(4);
    assert!(bench.call(Verdict::Well));
    bench.fail(4);
    assert_eq!(bench.state(), BreakerState::Closed);
    bench.fail(1);
    assert_eq!(bench.state(), BreakerState::Open);
    assert!(!bench.call(Verdict::Well));
}

#[test]
fn half_of_twenty_in_ten_seconds_open_it() {
    let mut bench = Bench::new();
    for turn in 0..19 {
        let verdict = if turn % 2 == 0 {
            Verdict::Well
        } else {
            Verdict::Unwell
        };
        assert!(bench.wait(SECOND / 4).call(verdict));
    }
    assert_eq!(bench.state(), BreakerState::Closed);
    bench.fail(1);
    assert_eq!(bench.state(), BreakerState::Open);
}

#[test]
fn old_failures_are_forgotten() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        bench.wait(SECOND * 2).fail(1);
        assert!(bench.call(Verdict::Well));
    }
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn faults_of_callers_never_open_it() {
    let mut bench = Bench::new();
    for _ in 0..1000 {
        assert!(bench.call(Verdict::Answered));
    }
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn a_refused_key_opens_it_at_once() {
    let mut bench = Bench::new();
    assert!(bench.call(Verdict::KeyRefused));
    assert_eq!(bench.state(), BreakerState::Open);
}

#[test]
fn one_probe_at_a_time_and_recovery_with_the_first_good_one() {
    let mut bench = Bench::new();
    bench.fail(5).wait(SECOND * 29);
    assert_eq!(bench.breaker.standing(bench.now), Standing::Refused(SECOND));
    bench.wait(SECOND);
    let (probe, change) = bench.breaker.admit(bench.now).unwrap();
    assert_eq!(change.unwrap().to, BreakerState::HalfOpen);
    assert!(bench.breaker.admit(bench.now).is_none());
    assert_eq!(
        bench.end(probe, Verdict::Well).unwrap().to,
        BreakerState::Closed
    );
    assert!(bench.call(Verdict::Well));
}

#[test]
fn failed_probes_double_the_wait_up_to_the_most() {
    let mut bench = Bench::new();
    bench.fail(5);
    for expected in [30, 60, 120, 240, 300, 300] {
        let Standing::Refused(wait) = bench.breaker.standing(bench.now) else {
            panic!("not open");
        };
        assert_eq!(wait, SECOND * expected);
        bench.wait(wait).fail(1);
    }
}

#[test]
fn a_flapping_upstream_is_left_alone_for_longer_and_longer() {
    let mut bench = Bench::new();
    let mut waits = Vec::new();
    for _ in 0..4 {
        bench.fail(5);
        let Standing::Refused(wait) = bench.breaker.standing(bench.now) else {
            panic!("not open");
        };
        waits.push(wait.as_secs());
        bench.wait(wait);
        assert!(bench.call(Verdict::Well));
    }
    assert_eq!(waits, [30, 60, 120, 240]);
    // Half a minute of health, and it is judged as if for the first time.
    bench.wait(SECOND * 30).fail(5);
    assert_eq!(
        bench.breaker.standing(bench.now),
        Standing::Refused(SECOND * 30)
    );
}

#[test]
fn a_probe_whose_caller_hangs_up_makes_room_for_the_next() {
    let mut bench = Bench::new();
    bench.fail(5).wait(SECOND * 30);
    let (probe, _) = bench.breaker.admit(bench.now).unwrap();
    bench.breaker.abandon(probe);
    assert!(bench.call(Verdict::Well));
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn results_of_an_earlier_time_change_nothing() {
    let mut bench = Bench::new();
    let early: Vec<_> = (0..9)
        .map(|_| bench.breaker.admit(bench.now).unwrap().0)
        .collect();
    bench.fail(5).wait(SECOND * 30);
    let (probe, _) = bench.breaker.admit(bench.now).unwrap();
    for ticket in early {
        assert_eq!(bench.end(ticket, Verdict::Well), None);
        bench.breaker.abandon(ticket);
    }
    assert_eq!(bench.state(), BreakerState::HalfOpen);
    assert!(bench.breaker.admit(bench.now).is_none());
    bench.end(probe, Verdict::Well);
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn an_operator_holds_it_and_lets_it_go() {
    let mut bench = Bench::new();
    let change = bench
        .breaker
        .force(Some(BreakerState::Open), bench.now)
        .unwrap();
    assert!(change.forced && change.to == BreakerState::Open);
    assert!(!bench.wait(SECOND * 3600).call(Verdict::Well));
    bench.breaker.force(Some(BreakerState::Closed), bench.now);
    bench.fail(100);
    assert_eq!(bench.state(), BreakerState::Closed);
    assert_eq!(bench.breaker.force(None, bench.now), None);
    bench.fail(5);
    assert_eq!(bench.state(), BreakerState::Open);
}

fn verdicts() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Well),
        Just(Verdict::Answered),
        Just(Verdict::Unwell),
        Just(Verdict::KeyRefused)
    ]
}

proptest! {
    /// Whatever happened, an upstream that is well again is used again within
    /// one probe interval.
    #[test]
    fn it_never_sticks(trace in prop::collection::vec((verdicts(), 0_u64..40, any::<bool>()), 0..200)) {
        let mut bench = Bench::new();
        for (verdict, seconds, hangs_up) in trace {
            bench.wait(SECOND * u32::try_from(seconds).unwrap());
            if let Some((ticket, _)) = bench.breaker.admit(bench.now) {
                if hangs_up {
                    bench.breaker.abandon(ticket);
                } else {
                    bench.end(ticket, verdict);
                }
            }
        }
        if let Standing::Refused(wait) = bench.breaker.standing(bench.now) {
            prop_assert!(wait <= BreakerSettings::default().max_open);
            bench.wait(wait);
        }
        prop_assert!(bench.call(Verdict::Well));
        prop_assert_eq!(bench.state(), BreakerState::Closed);
    }
}
