//! What a caller reads of their limits.

use crate::{
    fakes::FakeQuotas,
    service::{As, DROP_IN, MINT, MINT_ROUTES, Service, assert_shown, empty, post},
};

#[tokio::test]
async fn limits_are_told_with_every_secret_and_run_out() {
    let service = Service::counting();
    for left in (0..5).rev() {
        let answer = service.ask(empty(post(MINT).by("alice candidate"))).await;
        assert_eq!(answer.status, 201);
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some("\"caller-minute\";q=5;w=60")
        );
        let state = format!("\"caller-minute\";r={left};t={}", (5 - left) * 12);
        assert_eq!(answer.header("ratelimit"), Some(state.as_str()));
    }
    let refused = service.ask(empty(post(MINT).by("alice candidate"))).await;
    assert_shown("rate_limited", refused.show());
    let refused = service
        .ask(empty(post(DROP_IN).by("alice candidate")))
        .await;
    assert_shown("rate_limited_drop_in", refused.show());
    let other = service.ask(empty(post(MINT).by("bob candidate"))).await;
    assert_eq!(other.status, 201, "each caller has a limit of their own");
    assert_eq!(service.world.minter.orders().len(), 6);
}

#[tokio::test]
async fn a_refusal_for_another_reason_takes_nothing_of_a_limit() {
    let service = Service::counting();
    for _ in 0..10 {
        let wrong = crate::service::json(
            post(MINT).by("alice candidate"),
            "{\"profile\": \"nosuch\"}",
        );
        assert_eq!(service.ask(wrong).await.status, 400);
    }
    let answer = service.ask(empty(post(MINT).by("alice candidate"))).await;
    assert_eq!(
        answer.header("ratelimit"),
        Some("\"caller-minute\";r=4;t=12")
    );
}

#[tokio::test]
async fn a_caller_without_limits_reads_none() {
    let answer = Service::counting()
        .ask(empty(post(MINT).by("alice service")))
        .await;
    assert_eq!(answer.header("ratelimit"), None);
    assert_eq!(answer.header("ratelimit-policy"), None);
}

#[tokio::test]
async fn limits_that_can_t_be_told_are_a_503_to_be_retried() {
    for route in MINT_ROUTES {
        let service = Service::with_quotas(FakeQuotas::Away);
        let answer = service.ask(empty(post(route).by("alice candidate"))).await;
        assert_eq!(answer.status, 503, "{route}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{route}");
        assert_eq!(answer.header("x-should-retry"), None, "{route}");
        assert!(!answer.text().contains("no route to the store"), "{route}");
    }
}
