//! A receiver of alerts: a real server that keeps what it was sent.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

/// One message, taken or not.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
    /// What it was answered.
    pub(crate) status: u16,
}

impl Message {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// `alert.started tokens_per_user`, of the standard form.
    pub(crate) fn turn(&self) -> String {
        let json = self.json();
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        format!("{} {}", text(&json["type"]), text(&json["data"]["rule"]))
    }
}

#[derive(Clone)]
struct Desk {
    status: watch::Sender<u16>,
    messages: Arc<watch::Sender<Vec<Message>>>,
}

/// A running receiver.
pub(crate) struct Hook {
    pub(crate) url: String,
    desk: Desk,
    serving: JoinHandle<()>,
}

impl Hook {
    /// Starts one that answers with a status.
    pub(crate) async fn start(status: u16) -> Self {
        let desk = Desk {
            status: watch::Sender::new(status),
            messages: Arc::default(),
        };
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = socket.local_addr().unwrap().port();
        let router = Router::new().fallback(post(take)).with_state(desk.clone());
        let serving = tokio::spawn(async move {
            axum::serve(socket, router).await.unwrap();
        });
        Self {
            url: format!("http://127.0.0.1:{port}/hooks"),
            desk,
            serving,
        }
    }

    /// What it answers from now on.
    pub(crate) fn answers(&self, status: u16) {
        self.desk.status.send_replace(status);
    }

    /// Everything it was sent so far.
    pub(crate) fn sent(&self) -> Vec<Message> {
        self.desk.messages.borrow().clone()
    }

    /// Waits until what it was sent is enough; gives it.
    pub(crate) async fn until(
        &self,
        what: &str,
        mut enough: impl FnMut(&[Message]) -> bool,
    ) -> Vec<Message> {
        let mut messages = self.desk.messages.subscribe();
        let wait = messages.wait_for(|all| enough(all));
        let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
        match waited {
            Ok(messages) => messages.unwrap().clone(),
            Err(_) => panic!("{what} did not come; there came {:#?}", self.sent()),
        }
    }

    /// Waits for one that was taken, in the standard form.
    pub(crate) async fn turn(&self, turn: &str) -> Value {
        let is_it = |message: &&Message| message.status < 300 && message.turn() == turn;
        let all = self
            .until(turn, |all| all.iter().any(|message| is_it(&message)))
            .await;
        all.iter().find(is_it).unwrap().json()
    }

    /// Waits for an alert to begin and gives it.
    pub(crate) async fn begins(&self, rule: &str) -> Value {
        self.turn(&format!("alert.started {rule}")).await["data"].clone()
    }

    /// Waits for an alert to end and gives it.
    pub(crate) async fn ends(&self, rule: &str) -> Value {
        self.turn(&format!("alert.ended {rule}")).await["data"].clone()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = *desk.status.borrow();
    let text =
        |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)));
    let message = Message {
        headers: headers.collect(),
        text: String::from_utf8_lossy(&body).into_owned(),
        status,
    };
    desk.messages.send_modify(|all| all.push(message));
    StatusCode::from_u16(status).unwrap()
}
