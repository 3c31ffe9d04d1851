//! The contract of [`Passes`].

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    hash::KeyedHash,
    ids::{GrantId, RoleName},
    pass::{PassRecord, Passes, Spent},
};

/// Every check, as a test of its own, on what `$fresh` makes: a store of no
/// passes behind an `Arc`, and whatever must live as long.
#[macro_export]
macro_rules! passes_contract {
    ($fresh:path) => {
        $crate::checks!(
            passes,
            $fresh,
            a_kept_pass_is_found_as_it_was,
            a_pass_is_spent_once,
            an_unknown_pass_is_no_pass,
            many_at_once_spend_it_once,
            what_is_over_is_forgotten,
        );
    };
    // A store whose passes end by themselves forgets none on request.
    ($fresh:path, ends_by_itself) => {
        $crate::checks!(
            passes,
            $fresh,
            a_kept_pass_is_found_as_it_was,
            a_pass_is_spent_once,
            an_unknown_pass_is_no_pass,
            many_at_once_spend_it_once,
        );
    };
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn pass(number: u8, ends: i64) -> PassRecord {
    PassRecord {
        grant: GrantId::from_random([number; 16]),
        hash: KeyedHash::from_bytes([number; 32]),
        role: RoleName::new("candidate").unwrap(),
        session: "{\"type\":\"realtime\",\"model\":\"m\"}".to_owned(),
        expires_at: at(ends),
    }
}

/// A kept pass is found as it was.
pub async fn a_kept_pass_is_found_as_it_was(passes: &Arc<dyn Passes>) {
    let kept = pass(1, 60);
    passes.keep(&kept).await.unwrap();
    assert_eq!(passes.find(&kept.grant).await.unwrap(), Some(kept));
}

/// A pass is spent once.
pub async fn a_pass_is_spent_once(passes: &Arc<dyn Passes>) {
    let kept = pass(1, 60);
    passes.keep(&kept).await.unwrap();
    assert_eq!(passes.spend(&kept.grant).await.unwrap(), Spent::First);
    for _ in 0..3 {
        assert_eq!(passes.spend(&kept.grant).await.unwrap(), Spent::Again);
    }
    assert!(passes.find(&kept.grant).await.unwrap().is_some());
}

/// An unknown pass is no pass.
pub async fn an_unknown_pass_is_no_pass(passes: &Arc<dyn Passes>) {
    let unknown = pass(9, 60).grant;
    assert_eq!(passes.find(&unknown).await.unwrap(), None);
    assert_eq!(passes.spend(&unknown).await.unwrap(), Spent::Unknown);
}

/// Many at once spend it once.
pub async fn many_at_once_spend_it_once(passes: &Arc<dyn Passes>) {
    let kept = pass(1, 60);
    passes.keep(&kept).await.unwrap();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (passes, grant) = (passes.clone(), kept.grant.clone());
            tokio::spawn(async move { passes.spend(&grant).await.unwrap() })
        })
        .collect();
    let mut first = 0;
    for task in tasks {
        first += usize::from(task.await.unwrap() == Spent::First);
    }
    assert_eq!(first, 1);
}

/// What is over is forgotten.
pub async fn what_is_over_is_forgotten(passes: &Arc<dyn Passes>) {
    let (old, new) = (pass(1, 10), pass(2, 100));
    passes.keep(&old).await.unwrap();
    passes.keep(&new).await.unwrap();
    assert_eq!(passes.forget(at(50)).await.unwrap(), 1);
    assert_eq!(passes.find(&old.grant).await.unwrap(), None);
    assert_eq!(passes.spend(&new.grant).await.unwrap(), Spent::First);
}
