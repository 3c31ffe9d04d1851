//! Callers at a steady pace, who write down what came of each request.
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::wire::Connection;

/// Who waits so long goes away, and says so.
const PATIENCE: Duration = Duration::from_secs(10);
/// Every so manieth caller hangs up in the middle.
const HANGS_UP: u64 = 20;
/// How long those wait before they do.
const IMPATIENCE: Duration = Duration::from_millis(40);

/// How many callers, and how often each asks.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) callers: usize,
    pub(super) each: Duration,
}

/// What a caller saw.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// A secret; its last four characters.
    Secret(String),
    /// A refusal; its status.
    Refused(u16),
    /// The caller hung up.
    Gone,
    /// The caller waited for ten seconds, and then hung up.
    Late,
}

/// What came of each request, by its id.
pub(super) type Log = Vec<(String, Outcome)>;

/// All callers.
pub(super) struct Callers {
    address: SocketAddr,
    tokens: Vec<String>,
    asked: AtomicU64,
    stopping: AtomicBool,
}

impl Callers {
    pub(super) fn new(address: SocketAddr, tokens: &[String]) -> Self {
        Self {
            address,
            tokens: tokens.to_vec(),
            asked: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        }
    }

    /// Requests so far.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Nobody asks any more.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Starts all callers, evenly shifted against each other.
    pub(super) fn start(self: &Arc<Self>, pace: Pace) -> JoinSet<Result<Log>> {
        let mut tasks = JoinSet::new();
        for caller in 0..pace.callers {
            let shift = pace.each * caller as u32 / pace.callers.max(1) as u32;
            let this = Arc::clone(self);
            tasks.spawn(async move {
                sleep(shift).await;
                this.ask_and_ask(pace.each).await
            });
        }
        tasks
    }

    async fn ask_and_ask(&self, each: Duration) -> Result<Log> {
        let mut log = Log::new();
        let mut ticks = interval(each);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kept = None;
        while !self.stopping.load(Ordering::Relaxed) {
            ticks.tick().await;
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            let id = format!("soak-{number}");
            let outcome = self.ask(number, &id, &mut kept).await;
            let outcome = outcome.with_context(|| format!("request {id}"))?;
            log.push((id, outcome));
        }
        Ok(log)
    }

    async fn ask(&self, number: u64, id: &str, kept: &mut Option<Connection>) -> Result<Outcome> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(self.address).await?,
        };
        let request = self.request(number, id).context("no token")?;
        if number % HANGS_UP == HANGS_UP - 1 {
            connection.send(request.as_bytes()).await?;
            sleep(IMPATIENCE).await;
            return Ok(Outcome::Gone);
        }
        let answered = timeout(PATIENCE, connection.exchange(request.as_bytes())).await;
        let Ok(answer) = answered else {
            return Ok(Outcome::Late);
        };
        let answer = answer?;
        let body = connection.body(&answer);
        let outcome = if (200..300).contains(&answer.status) {
            Outcome::Secret(last_four(body)?)
        } else {
            Outcome::Refused(answer.status)
        };
        if !answer.closes {
            *kept = Some(connection);
        }
        Ok(outcome)
    }

    fn request(&self, number: u64, id: &str) -> Option<String> {
        let user = usize::try_from(number).ok()? % self.tokens.len();
        let token = self.tokens.get(user)?;
        let (address, body) = (self.address, r#"{"profile":"interview"}"#);
        let length = body.len();
        Some(format!(
            "POST /api/generate-client-secret HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nx-request-id: {id}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }
}

fn last_four(body: &[u8]) -> Result<String> {
    let body: Value = serde_json::from_slice(body)?;
    let value = body["value"]
        .as_str()
        .context("an answer without a secret")?;
    let from = value.len().saturating_sub(4);
    Ok(value.get(from..).unwrap_or_default().to_owned())
}

/// Waits for what is under way; the log of all.
pub(super) async fn finished(mut tasks: JoinSet<Result<Log>>) -> Result<Log> {
    let mut log = Log::new();
    while let Some(ended) = tasks.join_next().await {
        log.extend(ended??);
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_secret_is_what_witnesses_compare() {
        let body = br#"{"id":"g","value":"ek_0123456789abcd"}"#;
        assert_eq!(last_four(body).expect("a secret"), "abcd");
        assert!(last_four(b"{}").is_err());
    }
}
