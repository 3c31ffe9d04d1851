//! Budgets and places.

use serde_json::json;

use super::Place;

#[tokio::test]
async fn a_budget_that_is_used_up_ends_it_and_refuses_new_ones() {
    let place = Place::start();
    let poor = place.key_of("poor").await;
    let pass = place.mint_as(&poor, &json!({})).await.json();
    let mut socket = place.open(&pass).await;
    socket.next("session.created").await;
    let mut turns = 0;
    let code = loop {
        socket.send(json!({"type": "response.create"})).await;
        turns += 1;
        let event = loop {
            let event = socket.event().await;
            if event["type"] == "response.done" || event["type"] == "error" {
                break event;
            }
        };
        if event["type"] == "error" {
            break event["error"]["code"].clone();
        }
        assert!(turns < 20, "it never ended");
    };
    assert_eq!(code, "budget");
    assert_eq!(place.ended(&pass).await.fact("reason"), "budget");
    let refused = place.mint_as(&poor, &json!({})).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "budget_exhausted")
    );
    assert_eq!(refused.header("x-should-retry"), "false");
}

#[tokio::test]
async fn a_client_that_listens_is_warned_once_before_its_budget_ends_it() {
    let place = Place::start();
    let careful = place.key_of("careful").await;
    let pass = place.mint_as(&careful, &json!({})).await.json();
    let mut socket = place.open_ours(&pass).await;
    socket.next("session.created").await;
    let mut warnings = Vec::new();
    loop {
        socket.send(json!({"type": "response.create"})).await;
        let event = loop {
            let event = socket.event().await;
            match event["type"].as_str().unwrap() {
                "hallpass.warning" => warnings.push(event),
                "response.done" | "error" => break event,
                _ => {}
            }
        };
        if event["type"] == "error" {
            assert_eq!(event["error"]["code"], "budget");
            break;
        }
    }
    let [warning] = warnings.as_slice() else {
        panic!("one warning: {warnings:?}")
    };
    assert_eq!(warning["kind"], "budget");
    assert_eq!(warning["bound"], "session_cost");
    let percent = warning["percent"].as_u64().unwrap();
    assert!((80..100).contains(&percent), "{percent}");
}

#[tokio::test]
async fn a_place_is_free_again_when_its_session_is_gone() {
    let place = Place::start();
    let one = place.key_of("one").await;
    let passes = [
        place.mint_as(&one, &json!({})).await.json(),
        place.mint_as(&one, &json!({})).await.json(),
    ];
    let mut first = place.open(&passes[0]).await;
    first.next("session.created").await;
    let refused = place.open(&passes[1]).await.refusal().await;
    assert_eq!(
        (refused.0.as_str(), refused.1),
        (Some("too_many_sessions"), 1008)
    );
    drop(first);
    place.empty().await;
    // The refusal did not use it up.
    let mut second = place.open(&passes[1]).await;
    assert_eq!(second.event().await["type"], "session.created");
}
