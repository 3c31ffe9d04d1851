//! Live sessions: a pass used twice, and budgets.

use futures_util::{SinkExt, StreamExt};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use super::House;

const MORE: &str = r#"
[profiles.relayed]
mode = "relay"
modes = ["relay"]
session = { type = "realtime", model = "gpt-realtime-2.1", instructions = "Ask." }

[roles.poor]
profiles = ["relayed"]
permissions = ["grants:create"]
budget = { usd_per_day = 0.002 }
"#;

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(house: &House, pass: &Value) -> Socket {
    let secret = pass["value"].as_str().unwrap();
    let url = format!("ws://{}/v1/realtime", house.serve.public);
    let mut request = url.into_client_request().unwrap();
    let offers = format!("realtime, openai-insecure-api-key.{secret}");
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", offers.parse().unwrap());
    connect_async(request).await.unwrap().0
}

/// The next event; none when the socket is closed.
async fn event(socket: &mut Socket) -> Option<Value> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

async fn minted(house: &House, bearer: &str) -> Value {
    let answer = house
        .mint_as(bearer, &json!({ "profile": "relayed" }))
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_is_used_twice_is_an_alert() {
    let house = House::open(MORE).await;
    let poor = house.key_of("poor").await;
    let pass = minted(&house, &poor).await;
    let mut first = open(&house, &pass).await;
    assert_eq!(event(&mut first).await.unwrap()["type"], "session.created");
    let mut second = open(&house, &pass).await;
    while event(&mut second).await.is_some() {}
    let begun = house.hook.begins("pass_reused").await;
    let grant = pass["id"].as_str().unwrap();
    let lineage = pass["lineage"].as_str().unwrap();
    let about = begun["cause"]["about"].as_str().unwrap();
    assert!(about.contains(grant) || about.contains(lineage), "{about}");
    house.hook.ends("pass_reused").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_is_told_when_it_is_near_and_when_it_is_used_up() {
    let house = House::open(MORE).await;
    let poor = house.key_of("poor").await;
    let pass = minted(&house, &poor).await;
    let mut socket = open(&house, &pass).await;
    let item = json!({"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "Tell me more."}]});
    // Turn by turn, until the session is ended for its budget.
    loop {
        let create = json!({"type": "conversation.item.create", "item": item});
        let ask = json!({"type": "response.create"});
        let sent = [
            socket.send(Message::text(create.to_string())).await,
            socket.send(Message::text(ask.to_string())).await,
        ];
        let mut ended = sent.iter().any(Result::is_err);
        while !ended {
            match event(&mut socket).await {
                Some(event) if event["type"] == "response.done" => break,
                Some(_) => {}
                None => ended = true,
            }
        }
        if ended {
            break;
        }
    }
    let near = house.hook.begins("budget_near").await;
    assert_eq!(near["cause"]["account"], "subject poor");
    assert_eq!(near["cause"]["bound"], "day_cost");
    assert!(near["value"].as_f64().unwrap() >= 80.0);
    let over = house.hook.begins("budget_exhausted").await;
    assert!(over["value"].as_f64().unwrap() >= 100.0);

    // A greater budget ends both.
    house
        .site
        .change("usd_per_day = 0.002", "usd_per_day = 100.0");
    house.serve.process.signal(Signal::HUP);
    house.hook.ends("budget_near").await;
    house.hook.ends("budget_exhausted").await;
}
