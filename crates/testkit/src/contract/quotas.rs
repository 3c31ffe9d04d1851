//! The contract of [`Quotas`].

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    ports::{Quotas, TakeError},
    quota::{Charge, Exceeded, LimitState, Rate},
};

/// A counter under test and the hand of its clock.
///
/// A counter whose time is not ours sleeps instead; no check waits longer than
/// a second.
pub struct Counter {
    /// The counter.
    pub quotas: Arc<dyn Quotas>,
    /// Lets time pass.
    pub advance: Box<dyn Fn(Duration) + Send + Sync>,
}

/// Every check, as a test of its own, on what `$fresh` makes.
///
/// `$fresh` is an async function that gives a [`Counter`] that counted nothing
/// and whatever must live as long.
#[macro_export]
macro_rules! quotas_contract {
    ($fresh:path) => {
        $crate::checks!(
            quotas,
            $fresh,
            nothing_asked_is_nothing_taken,
            the_burst_is_the_count,
            callers_do_not_share_a_limit,
            a_refused_request_takes_nothing,
            the_longest_wait_is_told,
            who_waits_as_told_is_let_through,
            an_unused_limit_is_whole_again,
            callers_at_once_never_get_more_than_the_count,
        );
    };
}

const COUNT: u32 = 3;

fn charge(name: &'static str, who: &str, count: u32) -> Charge {
    Charge {
        name,
        key: format!("{name}:{who}"),
        rate: Rate { count, seconds: 1 },
    }
}

async fn taken(counter: &Counter, charges: &[Charge]) -> Vec<LimitState> {
    counter.quotas.take(charges).await.expect("let through")
}

async fn refused(counter: &Counter, charges: &[Charge]) -> Exceeded {
    match counter.quotas.take(charges).await {
        Err(TakeError::Exceeded(exceeded)) => exceeded,
        other => panic!("not refused: {other:?}"),
    }
}

/// A request without limits is let through and has no state to show.
pub async fn nothing_asked_is_nothing_taken(counter: &Counter) {
    assert!(taken(counter, &[]).await.is_empty());
}

/// So many at once, and what remains is told each time.
pub async fn the_burst_is_the_count(counter: &Counter) {
    let charges = [charge("minute", "a", COUNT)];
    for left in (0..COUNT).rev() {
        let states = taken(counter, &charges).await;
        assert_eq!((states[0].name, states[0].remaining), ("minute", left));
        assert_eq!(states[0].rate, charges[0].rate);
        assert!(states[0].reset > Duration::ZERO);
    }
    let exceeded = refused(counter, &charges).await;
    assert_eq!(exceeded.state.remaining, 0);
    assert!(exceeded.wait > Duration::ZERO && exceeded.wait <= Duration::from_secs(1));
}

/// One caller's use is not another's.
pub async fn callers_do_not_share_a_limit(counter: &Counter) {
    taken(counter, &[charge("minute", "a", 1)]).await;
    refused(counter, &[charge("minute", "a", 1)]).await;
    taken(counter, &[charge("minute", "b", 1)]).await;
}

/// All limits are taken, or none, wherever in the list the refusal stands.
pub async fn a_refused_request_takes_nothing(counter: &Counter) {
    let (wide, narrow) = (charge("wide", "a", 3), charge("narrow", "a", 1));
    taken(counter, &[wide.clone(), narrow.clone()]).await;
    refused(counter, &[wide.clone(), narrow.clone()]).await;
    refused(counter, &[narrow, wide.clone()]).await;
    let states = taken(counter, &[wide]).await;
    assert_eq!(states[0].remaining, 1, "of three, two were let through");
}

/// Of several limits that refuse, the caller is told the one that lasts.
pub async fn the_longest_wait_is_told(counter: &Counter) {
    let (short, long) = (charge("short", "a", 4), charge("long", "a", 1));
    taken(counter, &[short.clone(), long.clone()]).await;
    for _ in 0..3 {
        taken(counter, std::slice::from_ref(&short)).await;
    }
    let exceeded = refused(counter, &[short, long]).await;
    assert_eq!(exceeded.state.name, "long");
}

/// The wait that is told is enough.
pub async fn who_waits_as_told_is_let_through(counter: &Counter) {
    let charges = [charge("minute", "a", 2)];
    taken(counter, &charges).await;
    taken(counter, &charges).await;
    let exceeded = refused(counter, &charges).await;
    (counter.advance)(exceeded.wait);
    taken(counter, &charges).await;
}

/// After `reset` the whole burst is there again.
pub async fn an_unused_limit_is_whole_again(counter: &Counter) {
    let charges = [charge("minute", "a", COUNT)];
    let reset = taken(counter, &charges).await[0].reset;
    (counter.advance)(reset);
    let states = taken(counter, &charges).await;
    assert_eq!(states[0].remaining, COUNT - 1);
}

/// Callers at once share one count.
pub async fn callers_at_once_never_get_more_than_the_count(counter: &Counter) {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let quotas = counter.quotas.clone();
            tokio::spawn(async move {
                let mut granted = 0;
                for _ in 0..5 {
                    let charges = [charge("minute", "crowd", 10)];
                    granted += u32::from(quotas.take(&charges).await.is_ok());
                }
                granted
            })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += task.await.unwrap();
    }
    assert_eq!(granted, 10);
}
