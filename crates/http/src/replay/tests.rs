use hallpass_core::code::Code;

use super::*;

const KEEP: Duration = Duration::from_secs(30);

fn key(name: &str) -> ReplayKey {
    ReplayKey {
        subject: "s".to_owned(),
        scheme: Scheme::ApiKey,
        key: name.to_owned(),
    }
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
    first(&replays, "a").await.answer(&Ok(Arc::new(7)));
    assert_eq!(again(&replays, "a").await, Some(7));
    assert!(matches!(replays.turn(&key("a"), 2).await, Turn::Other));
    sleep_until(Instant::now() + KEEP).await;
    drop(first(&replays, "a").await);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_dropped_in_time_though_nobody_asks() {
    let replays = Arc::new(Replays::new(KEEP));
    let secret = Arc::new(7);
    first(&replays, "a").await.answer(&Ok(secret.clone()));
    assert_eq!(Arc::strong_count(&secret), 2);
    sleep_until(Instant::now() + KEEP + Duration::from_millis(10)).await;
    assert_eq!(Arc::strong_count(&secret), 1);
    // And the sweeping begins again with the next answer.
    first(&replays, "b").await.answer(&Ok(secret.clone()));
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
    under_way.answer(&Ok(Arc::new(9)));
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
    under_way.answer(&Err(Refusal::new(Code::UpstreamTimeout, "")));
    assert_eq!(waiting.await.unwrap(), None);
    drop(first(&replays, "a").await);
}

#[tokio::test(start_paused = true)]
async fn when_the_first_hangs_up_the_next_takes_its_place() {
    let replays = Arc::new(Replays::new(KEEP));
    let under_way = first(&replays, "a").await;
    let waiting = {
        let replays = replays.clone();
        tokio::spawn(async move { first(&replays, "a").await.answer(&Ok(Arc::new(1))) })
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
            .answer(&Ok(Arc::new(0)));
    }
    assert_eq!(replays.kept().entries.len(), CAPACITY);
    drop(first(&replays, "0").await);
}
