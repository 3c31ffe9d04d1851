//! The contract of [`StandingCalls`].

use std::sync::Arc;

use hallpass_core::{
    Timestamp,
    call::{CallPlace, CallTerms, StandingCall, StandingCalls},
    ids::{GrantId, LiveId, RoleName},
};

/// Every check, as a test of its own, on what `$fresh` makes: a store of no
/// calls behind an `Arc`, and whatever must live as long.
#[macro_export]
macro_rules! calls_contract {
    ($fresh:path) => {
        $crate::checks!(
            calls,
            $fresh,
            a_kept_call_is_there_as_it_was,
            a_call_kept_twice_is_one,
            a_call_without_terms_has_none_afterwards,
            a_kept_call_is_not_lost,
            a_forgotten_call_is_gone_and_may_be_forgotten_again,
        );
    };
}

/// A call that tests keep.
#[must_use]
pub fn call(number: u8) -> StandingCall {
    StandingCall {
        session: LiveId::from_random([number; 16]),
        grant: GrantId::from_random([number; 16]),
        place: CallPlace {
            call_id: format!("rtc_u1_{number}"),
            upstream: "openai".into(),
            key: "0a1b2c3d".into(),
        },
        ends_at: Timestamp::from_second(1_800_000_000 + i64::from(number)).unwrap(),
        terms: Some(CallTerms {
            role: RoleName::new("candidate").unwrap(),
            session: r#"{"type":"realtime","model":"gpt-realtime-2.1"}"#.to_owned(),
            started_at: Timestamp::from_second(1_799_999_000).unwrap(),
        }),
    }
}

/// A call is kept with all it takes to end it, the oldest first.
pub async fn a_kept_call_is_there_as_it_was(calls: &Arc<dyn StandingCalls>) {
    for number in [2, 1] {
        calls.keep(&call(number)).await.unwrap();
    }
    assert_eq!(calls.all().await.unwrap(), [call(1), call(2)]);
}

/// Keeping a call again changes nothing.
pub async fn a_call_kept_twice_is_one(calls: &Arc<dyn StandingCalls>) {
    for _ in 0..2 {
        calls.keep(&call(1)).await.unwrap();
    }
    assert_eq!(calls.all().await.unwrap(), [call(1)]);
}

/// What an earlier release kept says nothing of terms.
pub async fn a_call_without_terms_has_none_afterwards(calls: &Arc<dyn StandingCalls>) {
    let bare = StandingCall {
        terms: None,
        ..call(1)
    };
    calls.keep(&bare).await.unwrap();
    assert_eq!(calls.all().await.unwrap(), [bare]);
}

/// Nobody takes a call from a process that lives.
pub async fn a_kept_call_is_not_lost(calls: &Arc<dyn StandingCalls>) {
    calls.keep(&call(1)).await.unwrap();
    calls.forget("rtc_u1_1").await.unwrap();
    calls.keep(&call(2)).await.unwrap();
    assert_eq!(calls.lost().await.unwrap(), Vec::<String>::new());
}

/// A call that ended is forgotten, however often.
pub async fn a_forgotten_call_is_gone_and_may_be_forgotten_again(calls: &Arc<dyn StandingCalls>) {
    calls.keep(&call(1)).await.unwrap();
    for _ in 0..2 {
        calls.forget("rtc_u1_1").await.unwrap();
    }
    assert_eq!(calls.all().await.unwrap(), []);
}
