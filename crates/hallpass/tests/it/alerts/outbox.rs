//! A receiver that is away: it delays nothing else, and loses nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{House, settings, signing_secret};
use crate::support::{Serve, hook::Hook, hook::Message};

fn turns(messages: &[Message]) -> Vec<String> {
    messages.iter().map(Message::turn).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_receiver_did_not_take_comes_after_a_restart_in_its_order() {
    let mut house = House::open_to(Hook::start(500).await, "", Serve::start);
    let user = house.site.token("user-7", 600);
    for _ in 0..11 {
        assert_eq!(house.mint_as(&user, &json!({})).await.status, 201);
    }
    // It is told of the beginning, refuses it, and hears nothing of the end.
    let refused = house.hook.until("a try", |all| !all.is_empty()).await;
    house.serve.until_told("an alert ended", 1);
    let waiting = "hallpass_alert_letters_waiting{receiver=\"ops\"}";
    assert!(house.metric(waiting).await.is_some());
    house.serve.process.kill_9();

    house.hook.answers(200);
    house.serve = Serve::start(&house.site);
    house.hook.ends("tokens_per_user").await;
    let taken: Vec<Message> = house.hook.sent();
    let taken: Vec<Message> = taken.into_iter().filter(|it| it.status == 200).collect();
    assert_eq!(
        turns(&taken),
        [
            "alert.started tokens_per_user",
            "alert.ended tokens_per_user"
        ]
    );
    assert_eq!(
        taken[0].headers["webhook-id"], refused[0].headers["webhook-id"],
        "the same message, tried again"
    );
    assert_ne!(
        taken[0].headers["webhook-id"],
        taken[1].headers["webhook-id"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_hangs_delays_neither_mints_nor_others() {
    // Accepts connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let secret = signing_secret();
    let more = format!(
        "[[alerts.webhook]]\nname = \"silent\"\nurl = \"http://127.0.0.1:{port}/\"\n\
         secret = \"{secret}\"\nallow_private_addresses = true\ntimeout_ms = 60000\n"
    );
    let house = House::open(&more).await;
    let user = house.site.token("user-8", 600);
    for _ in 0..11 {
        assert_eq!(house.mint_as(&user, &json!({})).await.status, 201);
    }
    house.hook.begins("tokens_per_user").await;
    house.hook.ends("tokens_per_user").await;
    let waiting = "hallpass_alert_letters_waiting{receiver=\"silent\"}";
    let begun = Instant::now();
    while house.metric(waiting).await.as_deref() == Some("0") {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "its letters wait"
        );
    }
    assert_eq!(house.mint_as(&house.service, &json!({})).await.status, 201);
}

#[tokio::test]
async fn a_private_receiver_is_refused_unless_it_is_allowed() {
    let hook = Hook::start(204).await;
    let site = crate::support::Site::new("http://127.0.0.1:1", "sk-x", "");
    let text = settings(&hook, &signing_secret(), "");
    let base = site.configuration();
    let with = |text: &str| {
        std::fs::write(site.path("hallpass.toml"), format!("{base}\n{text}")).unwrap();
        site.run(&["config", "check"])
    };
    assert_eq!(with(&text).code, 0);
    let closed = with(&text.replace("allow_private_addresses = true\n", ""));
    assert_eq!(closed.code, 2);
    assert!(
        closed.err.contains("allow_private_addresses"),
        "{}",
        closed.err
    );
}
