//! The contract of [`Leases`].

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    Timestamp,
    concurrency::{Lease, Leases},
    ids::{LineageId, Subject},
};
use tokio::time::sleep;

/// Every check, as a test of its own, on what `$fresh` makes: leases of nobody
/// behind an `Arc`, that go by the time they are given, and whatever must live
/// as long.
#[macro_export]
macro_rules! leases_contract {
    ($fresh:path) => {
        $crate::checks!(
            leases,
            $fresh,
            a_full_caller_learns_when_the_first_place_is_free,
            callers_do_not_share_places,
            a_lineage_goes_on_with_its_own_place,
            what_is_settled_ends_then,
            what_is_released_is_free,
            what_was_not_taken_is_not_settled,
            requests_at_once_never_share_a_place,
        );
    };
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn lease(who: &str, lineage: &str, until: i64) -> Lease {
    Lease {
        holder: Subject::new(who).unwrap(),
        lineage: LineageId::new(lineage).unwrap(),
        until: at(until),
    }
}

async fn take(
    leases: &Arc<dyn Leases>,
    lease: &Lease,
    limit: u32,
    now: i64,
) -> Result<(), Timestamp> {
    leases.take(lease, limit, at(now)).await.unwrap()
}

/// Who settles or releases does not wait for it; whoever comes next may be
/// early, and asks again.
async fn until_taken(leases: &Arc<dyn Leases>, lease: &Lease, limit: u32, now: i64) {
    for _ in 0..500 {
        if take(leases, lease, limit, now).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
    panic!("no place becomes free");
}

/// The wait that is told is that for the first place.
pub async fn a_full_caller_learns_when_the_first_place_is_free(leases: &Arc<dyn Leases>) {
    assert_eq!(take(leases, &lease("a", "l1", 20), 2, 0).await, Ok(()));
    assert_eq!(take(leases, &lease("a", "l2", 10), 2, 0).await, Ok(()));
    let full = take(leases, &lease("a", "l3", 25), 2, 0).await;
    assert_eq!(full, Err(at(10)));
    assert_eq!(take(leases, &lease("a", "l3", 25), 2, 10).await, Ok(()));
}

/// One caller's places are not another's.
pub async fn callers_do_not_share_places(leases: &Arc<dyn Leases>) {
    assert_eq!(take(leases, &lease("a", "l1", 20), 1, 0).await, Ok(()));
    assert_eq!(take(leases, &lease("b", "l2", 20), 1, 0).await, Ok(()));
    assert!(take(leases, &lease("a", "l3", 20), 1, 0).await.is_err());
}

/// A refresh takes no second place, and never shortens the first.
pub async fn a_lineage_goes_on_with_its_own_place(leases: &Arc<dyn Leases>) {
    assert_eq!(take(leases, &lease("a", "l1", 20), 1, 0).await, Ok(()));
    assert_eq!(take(leases, &lease("a", "l1", 10), 1, 1).await, Ok(()));
    let full = take(leases, &lease("a", "l2", 25), 1, 2).await;
    assert_eq!(full, Err(at(20)));
    assert_eq!(take(leases, &lease("a", "l1", 25), 1, 3).await, Ok(()));
    let full = take(leases, &lease("a", "l2", 25), 1, 4).await;
    assert_eq!(full, Err(at(25)));
}

/// What is settled ends when it is said to, sooner or later than before.
pub async fn what_is_settled_ends_then(leases: &Arc<dyn Leases>) {
    assert_eq!(take(leases, &lease("a", "l1", 20), 1, 0).await, Ok(()));
    leases.settle(&lease("a", "l1", 5));
    until_taken(leases, &lease("a", "l2", 20), 1, 6).await;
}

/// What is released is free.
pub async fn what_is_released_is_free(leases: &Arc<dyn Leases>) {
    let first = lease("a", "l1", 20);
    assert_eq!(take(leases, &first, 1, 0).await, Ok(()));
    leases.release(&first.holder, &first.lineage);
    until_taken(leases, &lease("a", "l2", 20), 1, 0).await;
}

/// Settling what nobody holds takes no place.
pub async fn what_was_not_taken_is_not_settled(leases: &Arc<dyn Leases>) {
    leases.settle(&lease("a", "l1", 20));
    sleep(Duration::from_millis(20)).await;
    assert_eq!(take(leases, &lease("a", "l2", 20), 1, 0).await, Ok(()));
}

/// Requests at once never share a place.
pub async fn requests_at_once_never_share_a_place(leases: &Arc<dyn Leases>) {
    let tasks: Vec<_> = (0..32)
        .map(|number| {
            let leases = leases.clone();
            tokio::spawn(async move {
                let lease = lease("a", &format!("l{number}"), 20);
                take(&leases, &lease, 3, 0).await.is_ok()
            })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += usize::from(task.await.unwrap());
    }
    assert_eq!(granted, 3);
}
