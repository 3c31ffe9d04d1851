//! What keeps an open page current.

use std::time::Duration;

use reqwest::Response;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Place, Signed};

/// One open stream of a page.
pub(super) struct Stream {
    response: Response,
    read: String,
}

impl Stream {
    pub(super) async fn open(signed: &Signed<'_>, path: &str) -> Self {
        let response = signed.reading(path).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            read: String::new(),
        }
    }

    /// The next event's name and text; none when the stream is over.
    async fn next(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let of = |name: &str| {
                    let mut lines = event.lines();
                    lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
                };
                let read = of("event:").zip(of("data:"));
                self.read = rest.to_owned();
                if read.is_some() {
                    return read;
                }
                continue;
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Reads on until a view is as asked.
    pub(super) async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (name, text) = self.next().await.expect("an event");
            assert_eq!(name, "view", "{text}");
            let view = serde_json::from_str(&text).unwrap();
            if is_it(&view) {
                return view;
            }
        }
    }
}

#[tokio::test]
async fn what_happens_is_told_without_asking_again() {
    let place = Place::start();
    let signed = place.sign_in(&place.operator).await;
    let mut stream = Stream::open(&signed, "/console/events?view=overview&range=1h").await;
    let first = stream.until(|_| true).await;
    assert_eq!(first["texts"]["issued_hour"], "0 in the last hour");
    assert_eq!(
        place.mint(&json!({"profile": "interview"})).await.status,
        201
    );
    let told = stream
        .until(|view| view["texts"]["issued_hour"] == "1 in the last hour")
        .await;
    let chart = &told["charts"][0];
    assert_eq!(chart["name"], "issued");
    assert_eq!(chart["times"].as_array().unwrap().len(), 60);
    let values = chart["lines"][0]["values"].as_array().unwrap();
    assert_eq!(values.iter().filter_map(Value::as_u64).sum::<u64>(), 1);

    let mut sessions = Stream::open(&signed, "/console/events?view=sessions").await;
    let none = sessions.until(|_| true).await;
    assert_eq!(none["tables"][0]["rows"], json!([]));
    let _socket = place.session("i-1").await;
    let one = sessions
        .until(|view| !view["tables"][0]["rows"].as_array().unwrap().is_empty())
        .await;
    let row = &one["tables"][0]["rows"][0];
    assert_eq!(row["cells"][1]["text"], "i-1");
    assert!(row["action"].as_str().unwrap().ends_with("/end"));
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_with_its_key() {
    let place = Place::start();
    let first = place.sign_in(&place.auditor).await;
    let second = place.sign_in(&place.auditor).await;
    let mut of_session = Stream::open(&first, "/console/events").await;
    let mut of_key = Stream::open(&second, "/console/events?view=users").await;
    of_session.until(|_| true).await;
    of_key.until(|_| true).await;
    assert_eq!(first.post("/console/sign-out", &[]).await.status, 303);
    assert_eq!(over(&mut of_session).await, "signed-out");
    let keeper = place.sign_in(&place.operator).await;
    let id = place.auditor.split('_').nth(2).unwrap();
    keeper
        .post(&format!("/console/keys/{id}/revoke"), &[])
        .await;
    assert_eq!(over(&mut of_key).await, "signed-out");
}

#[tokio::test]
async fn a_stream_does_not_hold_up_the_servers_end() {
    let mut place = Place::start();
    let signed = place.sign_in(&place.operator).await;
    let mut stream = Stream::open(&signed, "/console/events").await;
    stream.until(|_| true).await;
    place.serve.process.signal(Signal::TERM);
    assert_eq!(over(&mut stream).await, "restart");
    let ended = place.serve.process.ended_within(Duration::from_secs(10));
    assert_eq!(ended.code(), Some(0));
}

/// Why a stream ends; nothing comes after that.
async fn over(stream: &mut Stream) -> String {
    loop {
        let (name, text) = stream.next().await.expect("an event");
        if name == "over" {
            assert_eq!(stream.next().await, None);
            return text;
        }
    }
}
