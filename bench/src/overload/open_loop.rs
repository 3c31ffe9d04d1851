//! Requests that arrive at a steady rate, whatever became of those before.
use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use tokio::{task::LocalSet, time::sleep};

use crate::{
    load::{Target, Timing},
    wire::Connection,
};

/// How often it is looked which requests are due.
const TICK: Duration = Duration::from_millis(1);
/// For those under way at the end.
const LAST: Duration = Duration::from_secs(6);
/// A minute, which no answer takes.
const LONGEST_US: u64 = 60_000_000;
/// Connections at most, a little below the server's own cap.
const CONNECTIONS: usize = 4000;

/// What came of the requests of a window.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) seconds: f64,
    /// From the moment a request was due to its secret, in microseconds.
    pub(super) accepted_us: Histogram<u64>,
    /// The same to its refusal as overloaded.
    pub(super) refused_us: Histogram<u64>,
    /// Answered otherwise, or not at all.
    pub(super) failed: u64,
    /// Not sent, since all connections were busy.
    pub(super) unsent: u64,
}

/// A steady stream of requests.
pub(super) struct Arrivals {
    target: Arc<Target>,
    rate: f64,
    timing: Timing,
}

struct Shared {
    target: Arc<Target>,
    idle: RefCell<Vec<Connection>>,
    taken: RefCell<Taken>,
}

#[derive(Clone, Copy)]
struct Due {
    at: Instant,
    number: usize,
    counts: bool,
}

impl Arrivals {
    pub(super) fn new(target: &Arc<Target>, rate: f64, timing: Timing) -> Self {
        Self {
            target: Arc::clone(target),
            rate,
            timing,
        }
    }

    /// Sends them, and waits for the last answer.
    pub(super) async fn run(self) -> Result<Taken> {
        ensure!(!self.target.requests.is_empty(), "no request to send");
        let shared = Rc::new(Shared {
            target: Arc::clone(&self.target),
            idle: RefCell::default(),
            taken: RefCell::new(Taken {
                seconds: self.timing.window.as_secs_f64(),
                accepted_us: Histogram::new_with_max(LONGEST_US, 3)?,
                refused_us: Histogram::new_with_max(LONGEST_US, 3)?,
                failed: 0,
                unsent: 0,
            }),
        });
        let local = LocalSet::new();
        local.run_until(self.send_all(&shared)).await;
        // What is still unanswered was not answered in time.
        let _ = tokio::time::timeout(LAST, local).await;
        let taken = shared.taken.borrow().clone();
        Ok(taken)
    }

    async fn send_all(&self, shared: &Rc<Shared>) {
        let begun = Instant::now();
        let end = self.timing.warm_up + self.timing.window;
        let mut sent = 0_usize;
        while begun.elapsed() < end {
            let due = (begun.elapsed().as_secs_f64() * self.rate) as usize;
            while sent < due {
                let after = Duration::from_secs_f64(sent as f64 / self.rate);
                let due = Due {
                    at: begun + after,
                    number: sent,
                    counts: after >= self.timing.warm_up,
                };
                shared.begin(due);
                sent += 1;
            }
            sleep(TICK).await;
        }
    }
}

impl Shared {
    fn begin(self: &Rc<Self>, due: Due) {
        let idle = self.idle.borrow_mut().pop();
        // Each request under way holds the shared part once.
        if idle.is_none() && Rc::strong_count(self) > CONNECTIONS {
            self.taken.borrow_mut().unsent += u64::from(due.counts);
            return;
        }
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let answered = this.ask(idle, due.number).await;
            if due.counts {
                this.note(answered.ok(), due.at.elapsed());
            }
        });
    }

    async fn ask(&self, idle: Option<Connection>, number: usize) -> Result<u16> {
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open(self.target.address).await?,
        };
        let requests = &self.target.requests;
        let answer = connection
            .exchange(&requests[number % requests.len()])
            .await?;
        if !answer.closes {
            self.idle.borrow_mut().push(connection);
        }
        Ok(answer.status)
    }

    fn note(&self, status: Option<u16>, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut taken = self.taken.borrow_mut();
        match status {
            Some(200..300) => taken.accepted_us.saturating_record(micros),
            Some(503) => taken.refused_us.saturating_record(micros),
            _ => taken.failed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::Ledger, upstream::Upstream};

    #[tokio::test]
    async fn requests_arrive_at_their_rate_though_answers_are_slow() {
        let ledger = Arc::new(Ledger::new(1));
        let upstream = Upstream::start(ledger, "key".to_owned()).await;
        let upstream = upstream.expect("started");
        upstream.set_delay(Duration::from_millis(300));
        let request = "POST /v1/realtime/client_secrets HTTP/1.1\r\nhost: a\r\nauthorization: Bearer key\r\ncontent-length: 2\r\n\r\n{}";
        let target = Arc::new(Target {
            address: upstream.address,
            requests: vec![request.as_bytes().to_vec()],
        });
        let timing = Timing {
            warm_up: Duration::ZERO,
            window: Duration::from_millis(200),
        };

        let taken = Arrivals::new(&target, 100.0, timing).run().await;

        let taken = taken.expect("taken");
        assert!(taken.accepted_us.len() >= 10, "none waits for another");
        assert_eq!((taken.failed, taken.unsent), (0, 0));
        assert!(taken.accepted_us.min() >= 290_000);
    }
}
