//! How many mints may be under way, and what becomes of the rest.
//!
//! A server that is over its capacity serves best by refusing early: before a
//! credential is checked, a body read or a record written. The refused are
//! counted and leave one record a second together. One durable record each
//! would let a flood write the disk full, and slow down those who are served.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use futures_util::poll;
use hallpass_core::{
    audit::{Action, AuditEvent, Outcome},
    code::Code,
    pipeline::Broker,
    refusal::Refusal,
};
use hallpass_telemetry::Metrics;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

/// How often refused requests are recorded.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How many mints may be under way.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Mints under way at once.
    pub mints: usize,
    /// How long one may wait for its place.
    pub wait: Duration,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            mints: 512,
            wait: Duration::from_millis(100),
        }
    }
}

/// Lets as many mints in as there is room for.
pub(crate) struct Door {
    room: Arc<Semaphore>,
    wait: Duration,
    refused: Arc<Refused>,
}

/// Requests refused since the last record.
struct Refused {
    count: AtomicU64,
    told_soon: AtomicBool,
    broker: Arc<Broker>,
    metrics: Arc<Metrics>,
}

impl Door {
    pub(crate) fn new(capacity: Capacity, broker: &Arc<Broker>, metrics: &Arc<Metrics>) -> Self {
        Self {
            room: Arc::new(Semaphore::new(capacity.mints)),
            wait: capacity.wait,
            refused: Arc::new(Refused {
                count: AtomicU64::new(0),
                told_soon: AtomicBool::new(false),
                broker: Arc::clone(broker),
                metrics: Arc::clone(metrics),
            }),
        }
    }

    /// Takes a place; dropping it makes room again.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] where there is no room in time.
    pub(crate) async fn enter(&self) -> Result<Place<'_>, Refusal> {
        let taken = Some(self.take().await?);
        Ok(Place { door: self, taken })
    }

    async fn take(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        if let Ok(place) = Arc::clone(&self.room).try_acquire_owned() {
            return Ok(place);
        }
        let waited = timeout(self.wait, Arc::clone(&self.room).acquire_owned()).await;
        if let Ok(Ok(place)) = waited {
            return Ok(place);
        }
        Refused::count(&self.refused);
        Err(Refusal::new(
            Code::Overloaded,
            "The server has more to do than it can. Wait a moment, then try again.",
        )
        .retry_after(Duration::from_secs(1)))
    }

    /// Records what was refused since the last record.
    pub(crate) async fn flush(&self) {
        self.refused.tell().await;
    }
}

/// A place among the mints under way.
pub(crate) struct Place<'a> {
    door: &'a Door,
    taken: Option<OwnedSemaphorePermit>,
}

impl Place<'_> {
    /// Waits for someone else without keeping the place.
    ///
    /// A caller who sends a body byte by byte, or waits for the answer of an
    /// equal request, keeps nobody out meanwhile. Who is ready at once keeps
    /// the place.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] where there is no room any more.
    pub(crate) async fn aside<T>(
        &mut self,
        waiting: impl Future<Output = T>,
    ) -> Result<T, Refusal> {
        let mut waiting = pin!(waiting);
        if let Poll::Ready(done) = poll!(waiting.as_mut()) {
            return Ok(done);
        }
        self.taken = None;
        let done = waiting.await;
        self.taken = Some(self.door.take().await?);
        Ok(done)
    }
}

impl Refused {
    fn count(this: &Arc<Self>) {
        this.metrics.upstream.shed();
        this.count.fetch_add(1, Ordering::SeqCst);
        if this.told_soon.swap(true, Ordering::SeqCst) {
            return;
        }
        let this = Arc::clone(this);
        tokio::spawn(async move {
            sleep(TELL_EVERY).await;
            this.told_soon.store(false, Ordering::SeqCst);
            this.tell().await;
        });
    }

    async fn tell(&self) {
        let count = self.count.swap(0, Ordering::SeqCst);
        if count == 0 {
            return;
        }
        tracing::warn!(requests = count, "refused: too many mints under way");
        let outcome = Outcome::Failed {
            code: Code::Overloaded,
            reason: Some(format!("{count} requests within a second")),
        };
        let now = self.broker.clock().now();
        let mut event = AuditEvent::outcome(now, Action::GrantCreate, outcome);
        event.facts = vec![("requests", count.to_string())];
        // A trail that can't be written stops all minting, which says so itself.
        let _ = self.broker.audit().append(event).await;
    }
}
