//! The pool against targets that follow a script, in paused time.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use hallpass_core::{Timestamp, journal::Journal, profile::SessionConfig, secret::ClientSecret};
use serde_json::{json, value::RawValue};

use super::*;
use crate::{
    breaker::BreakerSettings,
    fault::Fault,
    observer::{BreakerChange, Unobserved},
};

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// What a scripted target does next; after the last, the last again.
#[derive(Clone, Copy)]
enum Does {
    Mints,
    Fails(Fault, u16),
    AsksToWait(Fault, u16, Duration),
    Hangs,
}

struct Scripted {
    name: &'static str,
    script: Arc<Mutex<VecDeque<Does>>>,
    asked: Arc<AtomicUsize>,
}

impl Exchange for Scripted {
    async fn exchange(
        &self,
        order: &MintOrder,
        deadline: Duration,
    ) -> Result<MintedSecret, (Failure, UpstreamFacts)> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let does = {
            let mut script = self.script.lock().unwrap();
            if script.len() > 1 {
                script.pop_front().unwrap()
            } else {
                script[0]
            }
        };
        order.journal.note_sent();
        let mut facts = UpstreamFacts {
            name: Some(self.name.into()),
            ..UpstreamFacts::default()
        };
        match does {
            Does::Mints => Ok(minted(facts)),
            Does::Fails(fault, status) => {
                facts.status = Some(status);
                Err((fault.into(), facts))
            }
            Does::AsksToWait(fault, status, wait) => {
                facts.status = Some(status);
                Err((Failure::from(fault).wait(Some(wait)), facts))
            }
            Does::Hangs => {
                sleep(deadline).await;
                Err((Fault::DeadlineBeforeHead.into(), facts))
            }
        }
    }
}

fn minted(upstream: UpstreamFacts) -> MintedSecret {
    MintedSecret {
        secret: ClientSecret::new("ek_scripted".to_owned()),
        expires_at: Timestamp::UNIX_EPOCH,
        session: RawValue::from_string("{}".to_owned()).unwrap(),
        connect_url: String::new(),
        upstream,
    }
}

fn order() -> MintOrder {
    let session = json!({"type": "realtime", "model": "m"});
    MintOrder {
        session: SessionConfig::new(session.as_object().unwrap().clone()).unwrap(),
        expires_after_seconds: 60,
        safety_identifier: String::new(),
        overridden: Vec::new(),
        deadline: Duration::from_secs(5),
        journal: Journal::default(),
    }
}

/// A pool of scripted targets, and how often each was asked.
struct Bench {
    pool: Pool<Scripted>,
    scripts: Vec<Arc<Mutex<VecDeque<Does>>>>,
    asked: Vec<Arc<AtomicUsize>>,
}

impl Bench {
    fn new(scripts: &[(&'static str, u32, &[Does])]) -> Self {
        Self::observed(scripts, Arc::new(Unobserved))
    }

    fn observed(scripts: &[(&'static str, u32, &[Does])], observer: Arc<dyn PoolObserver>) -> Self {
        let draws = AtomicU64::new(1);
        // An even spread over the whole range, the same in every run.
        let draw = move || draws.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
        let pool = Pool::new(PoolParts {
            clock: Arc::new(Epoch),
            random: Random::new(draw),
            observer,
            retry: RetrySettings::default(),
        });
        let mut bench = Self {
            pool,
            scripts: Vec::new(),
            asked: Vec::new(),
        };
        let targets = scripts.iter().map(|(name, weight, script)| {
            let script = Arc::new(Mutex::new(script.iter().copied().collect()));
            let asked = Arc::new(AtomicUsize::new(0));
            bench.scripts.push(Arc::clone(&script));
            bench.asked.push(Arc::clone(&asked));
            (
                settings(name, *weight, "1"),
                Scripted {
                    name,
                    script,
                    asked,
                },
            )
        });
        let targets: Vec<_> = targets.collect();
        bench.pool.replace(targets);
        bench
    }

    /// Saves up retries, as a while of good service does.
    async fn warm(&self) {
        let before: Vec<_> = self
            .scripts
            .iter()
            .map(|s| s.lock().unwrap().clone())
            .collect();
        self.all(Does::Mints);
        for _ in 0..100 {
            self.mint().await.unwrap();
        }
        for (script, before) in self.scripts.iter().zip(before) {
            *script.lock().unwrap() = before;
        }
        self.asked
            .iter()
            .for_each(|asked| asked.store(0, Ordering::SeqCst));
    }

    fn all(&self, does: Does) {
        for script in &self.scripts {
            *script.lock().unwrap() = VecDeque::from([does]);
        }
    }

    async fn mint(&self) -> Result<MintedSecret, Box<MintFailure>> {
        self.pool.mint(order()).await
    }

    async fn fails_with(&self) -> Code {
        self.mint().await.unwrap_err().refusal.code
    }

    fn asked(&self) -> Vec<usize> {
        let counts = self.asked.iter();
        counts.map(|asked| asked.load(Ordering::SeqCst)).collect()
    }
}

fn settings(name: &str, weight: u32, fingerprint: &str) -> TargetSettings {
    TargetSettings {
        name: name.into(),
        key: "k".into(),
        weight,
        timeout: Duration::from_secs(5),
        breaker: BreakerSettings::default(),
        fingerprint: fingerprint.into(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_not_sent_is_tried_once_more() {
    let refused = Does::Fails(Fault::ConnectRefused, 0);
    let bench = Bench::new(&[("a", 1, &[refused, Does::Mints])]);
    bench.warm().await;
    let order = order();
    let journal = order.journal.clone();
    bench.pool.mint(order).await.unwrap();
    let failed = journal.take_failed();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].code, Code::UpstreamUnreachable);
    assert!(!failed[0].upstream.orphan_possible);
    bench.all(refused);
    assert_eq!(bench.fails_with().await, Code::UpstreamUnreachable);
    assert_eq!(bench.asked(), [4]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_a_500_marks_the_first_as_a_possible_orphan() {
    let bench = Bench::new(&[("a", 1, &[Does::Fails(Fault::Unavailable, 500), Does::Mints])]);
    bench.warm().await;
    let order = order();
    let journal = order.journal.clone();
    bench.pool.mint(order).await.unwrap();
    assert!(journal.take_failed()[0].upstream.orphan_possible);
}

#[tokio::test(start_paused = true)]
async fn what_might_mint_unseen_is_not_sent_again() {
    for fault in [
        Fault::DeadlineBeforeHead,
        Fault::LostBeforeHead,
        Fault::LostInBody,
        Fault::NotJson,
        Fault::TooLarge,
        Fault::Rejected,
        Fault::RequestTimeout,
    ] {
        let bench = Bench::new(&[
            ("a", 1, &[Does::Fails(fault, 200), Does::Mints]),
            ("b", 0, &[Does::Mints]),
        ]);
        bench.warm().await;
        bench.mint().await.unwrap_err();
        assert_eq!(bench.asked(), [1, 0], "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_was_asked_for_is_obeyed_within_the_deadline() {
    let wait = Duration::from_secs(2);
    for (fault, status) in [(Fault::RateLimited, 429), (Fault::Unavailable, 503)] {
        let bench = Bench::new(&[(
            "a",
            1,
            &[Does::AsksToWait(fault, status, wait), Does::Mints],
        )]);
        bench.warm().await;
        let started = Instant::now();
        bench.mint().await.unwrap();
        assert!(started.elapsed() >= wait, "{status}");

        let bench = Bench::new(&[("a", 1, &[Does::AsksToWait(fault, status, wait * 3)])]);
        bench.warm().await;
        let failure = bench.mint().await.unwrap_err();
        assert_eq!(failure.refusal.retry_after, Some(wait * 3));
        assert_eq!(bench.asked(), [1], "{status}");

        let bench = Bench::new(&[("a", 1, &[Does::Fails(fault, status)])]);
        bench.warm().await;
        bench.mint().await.unwrap_err();
        assert_eq!(bench.asked(), [1], "{status} without Retry-After");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_key_goes_to_the_next_key() {
    for (fault, status) in [
        (Fault::KeyRefused, 401),
        (Fault::Forbidden, 403),
        (Fault::QuotaExhausted, 429),
        (Fault::RateLimited, 429),
    ] {
        let bad = Does::Fails(fault, status);
        let bench = Bench::new(&[("a", 1, &[bad]), ("b", 0, &[Does::Mints])]);
        for _ in 0..10 {
            let minted = bench.mint().await.unwrap();
            assert_eq!(minted.upstream.name.as_deref(), Some("b"));
        }
        assert_eq!(bench.asked(), [1, 10], "{fault:?}: the bad key rests");
        bench.all(bad);
        bench.mint().await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_unwell_is_not_exchanged_in_the_middle_of_a_mint() {
    let unwell = Does::Fails(Fault::Unavailable, 500);
    let bench = Bench::new(&[("a", 1, &[unwell]), ("b", 0, &[Does::Mints])]);
    for _ in 0..5 {
        bench.mint().await.unwrap_err();
    }
    assert_eq!(bench.asked(), [5, 0]);
    // Its breaker is open now, so the spare one is asked instead.
    bench.mint().await.unwrap();
    assert_eq!(bench.asked(), [5, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_full_outage_costs_few_attempts_and_ends_within_a_probe() {
    let bench = Bench::new(&[("a", 1, &[Does::Hangs])]);
    let mut requests = 0;
    while bench.pool.status()[0].breaker == BreakerState::Closed {
        assert_eq!(bench.fails_with().await, Code::UpstreamTimeout);
        requests += 1;
    }
    assert!(
        bench.asked()[0] * 10 <= requests * 11,
        "{:?}",
        bench.asked()
    );

    let before = bench.asked()[0];
    for _ in 0..100 {
        let failure = bench.mint().await.unwrap_err();
        assert_eq!(failure.refusal.code, Code::UpstreamUnavailable);
        assert!(failure.refusal.retry_after.is_some());
    }
    assert_eq!(bench.asked()[0], before, "probes alone");

    bench.all(Does::Mints);
    let wait = bench.pool.status()[0].retry_in.unwrap();
    assert!(wait <= Duration::from_secs(30));
    sleep(wait).await;
    bench.mint().await.unwrap();
    assert_eq!(bench.pool.status()[0].breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn nothing_runs_after_the_deadline() {
    let bench = Bench::new(&[("a", 1, &[Does::Hangs])]);
    bench.warm().await;
    let started = Instant::now();
    assert_eq!(bench.fails_with().await, Code::UpstreamTimeout);
    assert!(started.elapsed() <= Duration::from_millis(5100));
    assert_eq!(bench.asked(), [1]);
}

#[tokio::test(start_paused = true)]
async fn one_probe_at_a_time_while_the_rest_is_refused() {
    let bench = Arc::new(Bench::new(&[("a", 1, &[Does::Fails(Fault::NotJson, 200)])]));
    for _ in 0..5 {
        bench.mint().await.unwrap_err();
    }
    bench.all(Does::Hangs);
    sleep(Duration::from_secs(30)).await;
    let mints = (0..50).map(|_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.mint().await.is_err() })
    });
    for mint in mints.collect::<Vec<_>>() {
        assert!(mint.await.unwrap());
    }
    assert_eq!(bench.asked(), [6]);
}

#[tokio::test(start_paused = true)]
async fn weights_share_the_mints() {
    let bench = Bench::new(&[
        ("a", 3, &[Does::Mints]),
        ("b", 1, &[Does::Mints]),
        ("c", 0, &[Does::Mints]),
    ]);
    for _ in 0..400 {
        bench.mint().await.unwrap();
    }
    let asked = bench.asked();
    assert!((280..320).contains(&asked[0]) && asked[2] == 0, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_replaced_starts_anew_and_the_others_go_on() {
    let bench = Bench::new(&[
        ("a", 1, &[Does::Fails(Fault::KeyRefused, 401)]),
        ("b", 1, &[Does::Fails(Fault::KeyRefused, 401)]),
    ]);
    assert_eq!(bench.fails_with().await, Code::UpstreamKeyRefused);
    assert_eq!(
        bench.fails_with().await,
        Code::UpstreamKeyRefused,
        "told while open, too"
    );
    assert_eq!(bench.asked(), [1, 1]);
    let scripted = |name| Scripted {
        name,
        script: Arc::new(Mutex::new(VecDeque::from([Does::Mints]))),
        asked: Arc::default(),
    };
    bench.pool.replace([
        (settings("a", 1, "1"), scripted("a")),
        (settings("b", 1, "2"), scripted("b")),
    ]);
    let minted = bench.mint().await.unwrap();
    assert_eq!(minted.upstream.name.as_deref(), Some("b"));
    let states: Vec<_> = bench
        .pool
        .status()
        .iter()
        .map(|status| status.breaker)
        .collect();
    assert_eq!(states, [BreakerState::Open, BreakerState::Closed]);
}

#[derive(Default)]
struct Noted(Mutex<Vec<String>>);

impl PoolObserver for Noted {
    fn attempted(&self, upstream: &str, outcome: &'static str, _: Duration) {
        self.0.lock().unwrap().push(format!("{upstream} {outcome}"));
    }

    fn breaker_changed(&self, change: &BreakerChange) {
        let (from, to) = (change.from.as_str(), change.to.as_str());
        self.0.lock().unwrap().push(format!("{from} to {to}"));
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_and_every_change_is_told() {
    let noted = Arc::new(Noted::default());
    let bench = Bench::observed(
        &[("a", 1, &[Does::Fails(Fault::KeyRefused, 401), Does::Mints])],
        noted.clone(),
    );
    bench.mint().await.unwrap_err();
    sleep(Duration::from_secs(30)).await;
    bench.mint().await.unwrap();
    assert!(bench.pool.force("a", Some(BreakerState::Open)));
    assert!(bench.pool.force("a", None));
    assert!(!bench.pool.force("x", None));
    assert_eq!(
        *noted.0.lock().unwrap(),
        [
            "closed to open",
            "a upstream_key_refused",
            "open to half_open",
            "half_open to closed",
            "a success",
            "closed to open",
            "open to closed",
        ]
    );
}
