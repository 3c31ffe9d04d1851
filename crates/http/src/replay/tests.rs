use hallpass_core::{caller::Scheme, code::Code};

use super::*;

const KEEP: Duration = Duration::from_secs(30);
/// Longer than anything is kept.
const LIFE: Duration = Duration::from_secs(60);

fn caller(issuer: &str, tenant: Option<&str>) -> Caller {
    Caller {
        subject: Subject::new("s").unwrap(),
        scheme: Scheme::Jwt,
        credential: CredentialId::new(issuer).unwrap(),
        roles: Vec::new(),
        session_id: None,
        tenant: tenant.map(|tenant| Subject::new(tenant).unwrap()),
        issued_at: None,
        expires_at: None,
    }
}

fn key(name: &str) -> ReplayKey {
    ReplayKey::new(&caller("a", None), name)
}

#[test]
fn one_subject_of_two_issuers_or_tenants_is_two_callers() {
    let of = |issuer, tenant| ReplayKey::new(&caller(issuer, tenant), "k");
    assert!(of("a", None) == of("a", None));
    assert!(of("a", None) != of("b", None));
    assert!(of("a", Some("x")) != of("a", Some("y")));
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_kept_longer_than_it_is_good() {
    let replays = Arc::new(Replays::new(KEEP));
    let long = Arc::new(1);
    first(&replays, "long")
        .await
        .answer(&Ok(long.clone()), LIFE);
    let short = Duration::from_secs(10);
    first(&replays, "short")
        .await
        .answer(&Ok(Arc::new(2)), short);
    assert_eq!(again(&replays, "short").await, Some(2));
    sleep_until(Instant::now() + short).await;
    drop(first(&replays, "short").await);
    assert_eq!(again(&replays, "long").await, Some(1));
}

async fn first(replays: &Arc<Replays<u32>>, name: &str) -> First<u32> {
    match replays.turn(&key(name), 1).await {
        Turn::First(first) => first,
        _ => panic!("not the first"),
    }
}

async fn again(replays: &Arc<Replays<u32>>, name: &str) -> Option<u32> {
    match replays.turn(&key(name), 1).await {
        Turn::Again(answer) => answer.ok().map(|answer| *answer),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_again_until_its_time_is_over() {
    let replays = Arc::new(Replays::new(KEEP));
    first(&replays, "a").await.answer(&Ok(Arc::new(7)), LIFE);
    assert_eq!(again(&replays, "a").await, Some(7));
    assert!(matches!(replays.turn(&key("a"), 2).await, Turn::Other));
    sleep_until(Instant::now() + KEEP).await;
    drop(first(&replays, "a").await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_dropped_in_time_though_nobody_asks() {
    let replays = Arc::new(Replays::new(KEEP));
    let secret = Arc::new(7);
    first(&replays, "a").await.answer(&Ok(secret.clone()), LIFE);
    assert_eq!(Arc::strong_count(&secret), 2);
    sleep_until(Instant::now() + KEEP + Duration::from_millis(10)).await;
    assert_eq!(Arc::strong_count(&secret), 1);
    // And the sweeping begins again with the next answer.
    first(&replays, "b").await.answer(&Ok(secret.clone()), LIFE);
    sleep_until(Instant::now() + KEEP + Duration::from_millis(10)).await;
    assert_eq!(Arc::strong_count(&secret), 1);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_get_the_answer_of_the_first() {
    let replays = Arc::new(Replays::new(KEEP));
    let under_way = first(&replays, "a").await;
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let replays = replays.clone();
            tokio::spawn(async move { again(&replays, "a").await })
        })
        .collect();
    tokio::task::yield_now().await;
    under_way.answer(&Ok(Arc::new(9)), LIFE);
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Some(9));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_shared_and_not_kept() {
    let replays = Arc::new(Replays::<u32>::new(KEEP));
    let under_way = first(&replays, "a").await;
    let waiting = {
        let replays = replays.clone();
        tokio::spawn(async move { again(&replays, "a").await })
    };
    tokio::task::yield_now().await;
    under_way.answer(&Err(Refusal::new(Code::UpstreamTimeout, "")), LIFE);
    assert_eq!(waiting.await.unwrap(), None);
    drop(first(&replays, "a").await);
}

#[tokio::test(start_paused = true)]
async fn when_the_first_hangs_up_the_next_takes_its_place() {
    let replays = Arc::new(Replays::new(KEEP));
    let under_way = first(&replays, "a").await;
    let waiting = {
        let replays = replays.clone();
        tokio::spawn(async move { first(&replays, "a").await.answer(&Ok(Arc::new(1)), LIFE) })
    };
    tokio::task::yield_now().await;
    drop(under_way);
    waiting.await.unwrap();
    assert_eq!(again(&replays, "a").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn the_oldest_is_forgotten_first_when_there_are_too_many() {
    let replays = Arc::new(Replays::new(KEEP));
    for number in 0..=CAPACITY {
        first(&replays, &number.to_string())
            .await
            .answer(&Ok(Arc::new(0)), LIFE);
    }
    assert_eq!(replays.kept().entries.len(), CAPACITY);
    drop(first(&replays, "0").await);
}
