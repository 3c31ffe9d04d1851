//! How connections are kept and used again.

use hallpass_core::ports::Minter as _;
use tokio::task::yield_now;

use crate::{
    scripted::{Script, Upstream, reply},
    support::{SECRET, client, good, order},
};

#[tokio::test]
async fn a_hundred_mints_share_one_connection() {
    let upstream = Upstream::start(Script::Answer(good())).await;
    let client = client(&upstream);
    for _ in 0..100 {
        client.mint(order()).await.unwrap();
    }
    assert_eq!(upstream.requests().len(), 100);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_refusal_keeps_the_connection() {
    let upstream = Upstream::start(Script::Answer(reply(429, "", "{}"))).await;
    let client = client(&upstream);
    for _ in 0..10 {
        client.mint(order()).await.unwrap_err();
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn mints_at_the_same_time_each_send_one_request() {
    let upstream = Upstream::start(Script::Answer(good())).await;
    let client = client(&upstream);
    let mints: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.mint(order()).await })
        })
        .collect();
    for mint in mints {
        mint.await.unwrap().unwrap();
    }
    assert_eq!(upstream.requests().len(), 50);
    assert!(upstream.connections() <= 50);
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let upstream = Upstream::start(Script::AnswerAndClose(good())).await;
    let client = client(&upstream);
    for sent in 1..=5 {
        client.mint(order()).await.unwrap();
        upstream.answered().await;
        for _ in 0..1000 {
            yield_now().await;
        }
        assert_eq!(upstream.requests().len(), sent);
    }
    assert_eq!(upstream.connections(), 5);
}

#[tokio::test]
async fn a_request_that_was_sent_is_never_sent_again() {
    let upstream = Upstream::start(Script::AnswerAndReset(Vec::new())).await;
    let client = client(&upstream);
    for sent in 1..=5 {
        client.mint(order()).await.unwrap_err();
        assert_eq!(upstream.requests().len(), sent);
    }
}

#[tokio::test]
async fn a_reply_that_says_close_is_believed() {
    let upstream =
        Upstream::start(Script::Answer(reply(200, "connection: close\r\n", SECRET))).await;
    let client = client(&upstream);
    client.mint(order()).await.unwrap();
    client.mint(order()).await.unwrap();
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_threads_share_one_client() {
    let upstream = Upstream::start(Script::Answer(good())).await;
    let client = client(&upstream);
    let mints: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    client.mint(order()).await.unwrap();
                }
            })
        })
        .collect();
    for mint in mints {
        mint.await.unwrap();
    }
    assert_eq!(upstream.requests().len(), 100);
    // A connection may still be on its way back when the next mint looks for
    // one; but they are kept, not made anew each time.
    assert!(upstream.connections() < 50, "{}", upstream.connections());
}
