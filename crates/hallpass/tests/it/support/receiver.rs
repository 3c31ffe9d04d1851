//! Whoever is sent checkpoints and records: takes them, refuses, or hangs.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use tokio::{sync::watch, task::JoinHandle};

/// What it does with what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    Refuses,
    /// Answers nothing, until its mood changes.
    Hangs,
}

#[derive(Clone)]
struct Desk {
    mood: watch::Sender<Mood>,
    /// How many requests came, taken or not.
    asked: Arc<watch::Sender<usize>>,
    taken: Arc<watch::Sender<Vec<String>>>,
}

/// A running receiver.
pub(crate) struct Receiver {
    pub(crate) url: String,
    desk: Desk,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(mood: Mood) -> Self {
        let desk = Desk {
            mood: watch::Sender::new(mood),
            asked: Arc::default(),
            taken: Arc::default(),
        };
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let router = Router::new().fallback(post(take)).with_state(desk.clone());
        let serving = tokio::spawn(async move {
            axum::serve(socket, router).await.unwrap();
        });
        Self { url, desk, serving }
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.desk.mood.send_replace(mood);
    }

    /// Waits until so many requests came.
    pub(crate) async fn asked(&self, times: usize) {
        let mut asked = self.desk.asked.subscribe();
        within(asked.wait_for(|asked| *asked >= times)).await;
    }

    /// Waits until what it took is enough; gives it.
    pub(crate) async fn taken(&self, enough: impl FnMut(&Vec<String>) -> bool) -> Vec<String> {
        let mut taken = self.desk.taken.subscribe();
        within(taken.wait_for(enough)).await
    }
}

async fn within<'a, T: Clone + 'a>(
    wait: impl Future<Output = Result<watch::Ref<'a, T>, watch::error::RecvError>>,
) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
    waited.expect("it comes in time").unwrap().clone()
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(desk): State<Desk>, body: String) -> StatusCode {
    desk.asked.send_modify(|asked| *asked += 1);
    let mut mood = desk.mood.subscribe();
    if *mood.borrow_and_update() == Mood::Hangs {
        // Whoever hung is not served any more.
        let _ = mood.changed().await;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if *mood.borrow() == Mood::Refuses {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    desk.taken.send_modify(|taken| taken.push(body));
    StatusCode::OK
}
