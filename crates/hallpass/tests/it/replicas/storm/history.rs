//! What clients asked and were told, with the time of each.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::support::Answer;

/// A stretch of the run, from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Duration,
    pub(super) end: Duration,
}

impl Span {
    /// Whether the two have a moment in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// The same, and so much before and after it.
    pub(super) fn widened(self, by: Duration) -> Self {
        Self {
            start: self.start.saturating_sub(by),
            end: self.end + by,
        }
    }
}

/// What a request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// A secret; its grant and its last four characters.
    Secret { grant: String, last4: String },
    /// What was asked for, where that is no secret.
    Done,
    /// A refusal of Hallpass's; its code.
    Refused(String),
    /// Nothing, or what only a broken way answers: it may have been done.
    Unknown,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Mint,
    /// The list of one's own grants.
    List,
    Revoke,
    Lift,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Its id, as the trail has it.
    pub(super) id: String,
    pub(super) what: What,
    /// Who asks; for a revocation, whom it is about.
    pub(super) person: String,
    pub(super) span: Span,
    pub(super) told: Told,
}

/// A live session, as its client saw it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) person: String,
    pub(super) opened: Duration,
    /// None while it is open.
    pub(super) closed: Option<Duration>,
}

/// Everything clients saw.
pub(super) struct History {
    began: Instant,
    began_at_ms: i64,
    next: AtomicU64,
    stopping: AtomicBool,
    asked: Mutex<Vec<Asked>>,
    held: Mutex<Vec<Held>>,
}

impl History {
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
            began_at_ms: wall_ms(),
            next: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            asked: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// Since the beginning.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The moment of a wall clock's milliseconds; the beginning, if before it.
    pub(super) fn moment(&self, wall_ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(wall_ms - self.began_at_ms).unwrap_or(0))
    }

    pub(super) fn runs(&self) -> bool {
        !self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Sends a request under an id of its own and notes what came of it.
    pub(super) async fn ask(
        &self,
        what: What,
        person: &str,
        request: reqwest::RequestBuilder,
    ) -> (Told, Option<Answer>) {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        let id = format!("storm-{number}");
        let start = self.now();
        let sent = crate::support::try_send(request.header("x-request-id", &id)).await;
        let span = Span {
            start,
            end: self.now(),
        };
        let told = sent.as_ref().map_or(Told::Unknown, read);
        self.asked.lock().unwrap().push(Asked {
            id,
            what,
            person: person.to_owned(),
            span,
            told: told.clone(),
        });
        (told, sent.ok())
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn secrets(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        let is_secret = |asked: &&Asked| matches!(asked.told, Told::Secret { .. });
        asked.iter().filter(is_secret).count()
    }

    /// Notes that a session is open; the number to note its end by.
    pub(super) fn opened(&self, person: &str) -> usize {
        let mut held = self.held.lock().unwrap();
        held.push(Held {
            person: person.to_owned(),
            opened: self.now(),
            closed: None,
        });
        held.len() - 1
    }

    pub(super) fn closed(&self, number: usize) {
        self.held.lock().unwrap()[number].closed = Some(self.now());
    }

    pub(super) fn held(&self) -> Vec<Held> {
        self.held.lock().unwrap().clone()
    }
}

/// What an answer says. An error without a code of ours is nginx's.
fn read(answer: &Answer) -> Told {
    let Ok(body) = serde_json::from_str::<serde_json::Value>(&answer.text) else {
        return Told::Unknown;
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    match (answer.status, body["value"].as_str(), body["code"].as_str()) {
        (201, Some(secret), _) => Told::Secret {
            grant: text(&body["id"]),
            last4: secret[secret.len().saturating_sub(4)..].to_owned(),
        },
        (200..300, ..) => Told::Done,
        (.., Some(code)) => Told::Refused(code.to_owned()),
        _ => Told::Unknown,
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the servers under test read the same clock"
)]
fn wall_ms() -> i64 {
    hallpass_core::Timestamp::now().as_millisecond()
}
