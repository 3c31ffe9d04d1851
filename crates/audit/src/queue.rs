//! Where records wait for the writer, and callers for the disk.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use hallpass_core::{
    audit::AuditEvent,
    ports::{AuditReceipt, AuditUnavailable},
};

use crate::{
    gather::{Company, Gather},
    marks::Marks,
};

/// Why a load is not durable.
#[derive(Debug, Clone)]
pub(crate) enum Undone {
    /// It never will be, and why.
    Broken(Arc<str>),
    /// It is still on its way, too long already.
    Late,
}

impl From<Undone> for AuditUnavailable {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Broken(why) => Self::Refused(why.to_string()),
            Undone::Late => Self::Late,
        }
    }
}

/// Bytes that may wait before the disk counts as too slow to serve.
const MAX_WAITING: usize = 64 << 20;

/// Records on their way to the disk together.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// The bodies, one after the other.
    pub(crate) bodies: Vec<u8>,
    /// Where each body ends.
    pub(crate) ends: Vec<usize>,
    /// What each is found by.
    pub(crate) marks: Vec<Marks>,
    /// What each final record tells, for those who follow.
    pub(crate) events: Vec<Option<AuditEvent>>,
}

impl Load {
    /// The bodies one by one.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        let ends = self.ends.iter().copied();
        starts.zip(ends).map(|(from, to)| &self.bodies[from..to])
    }

    fn clear(&mut self) {
        self.bodies.clear();
        self.ends.clear();
        self.marks.clear();
        self.events.clear();
    }
}

/// What the callers of one load wait for.
#[derive(Debug, Default)]
pub(crate) struct Batch(Mutex<BatchState>);

#[derive(Debug)]
enum BatchState {
    Waiting(Vec<Option<Waker>>),
    Done(Result<u64, Undone>),
}

impl Default for BatchState {
    fn default() -> Self {
        Self::Waiting(Vec::new())
    }
}

impl Batch {
    /// Tells every caller: the number of the first record, or what went wrong.
    pub(crate) fn finish(&self, result: Result<u64, Undone>) {
        let before = mem::replace(&mut *held(&self.0), BatchState::Done(result));
        if let BatchState::Waiting(wakers) = before {
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

/// Ends when its record is durable.
#[derive(Debug)]
pub(crate) struct Ticket {
    batch: Arc<Batch>,
    place: u64,
    slot: Option<usize>,
}

impl Future for Ticket {
    type Output = Result<AuditReceipt, AuditUnavailable>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match &mut *held(&this.batch.0) {
            BatchState::Done(Ok(first)) => Poll::Ready(Ok(AuditReceipt {
                sequence: *first + this.place,
            })),
            BatchState::Done(Err(undone)) => Poll::Ready(Err(undone.clone().into())),
            BatchState::Waiting(wakers) => {
                let slot = *this.slot.get_or_insert_with(|| {
                    wakers.push(None);
                    wakers.len() - 1
                });
                wakers[slot] = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    load: Load,
    batch: Arc<Batch>,
    /// How many records wake the writer; none while it is at the disk.
    wake_at: Option<usize>,
    /// When a record last came to a writer that waits.
    came: Option<Instant>,
    closed: bool,
    broken: Option<Arc<str>>,
    /// What the writer has taken to the disk, and when.
    at_disk: Option<(Instant, Arc<Batch>)>,
    /// The writer is no more.
    ended: bool,
}

/// The records that wait for the writer.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    ended: Condvar,
    broken: AtomicBool,
    stalled: AtomicBool,
}

impl Queue {
    /// Puts a record in line, what it is found by, and what it tells those who
    /// follow.
    pub(crate) fn push(
        &self,
        body: &[u8],
        marks: Marks,
        event: Option<AuditEvent>,
    ) -> Result<Ticket, AuditUnavailable> {
        let mut waiting = held(&self.waiting);
        if waiting.closed {
            return Err(AuditUnavailable::Refused("the trail is closed".to_owned()));
        }
        if let Some(why) = &waiting.broken {
            return Err(AuditUnavailable::Refused(why.to_string()));
        }
        if waiting.load.bodies.len() + body.len() > MAX_WAITING {
            let why = "the disk is too slow: 64 MiB of records wait for it";
            return Err(AuditUnavailable::Refused(why.to_owned()));
        }
        let place = waiting.load.ends.len();
        waiting.load.bodies.extend_from_slice(body);
        let end = waiting.load.bodies.len();
        waiting.load.ends.push(end);
        waiting.load.marks.push(marks);
        waiting.load.events.push(event);
        let batch = waiting.batch.clone();
        let wake = waiting.wake_at == Some(place + 1);
        if waiting.wake_at.is_some() {
            waiting.came = Some(Instant::now());
        }
        drop(waiting);
        if wake {
            self.arrived.notify_one();
        }
        Ok(Ticket {
            batch,
            place: place as u64,
            slot: None,
        })
    }

    /// Takes all that waits, in exchange for an empty load; waits for the first
    /// record, and for those `gather` expects. Says how they came. None when the
    /// queue is closed and empty.
    pub(crate) fn take(&self, load: &mut Load, gather: &Gather) -> Option<(Arc<Batch>, Company)> {
        load.clear();
        let mut waiting = held(&self.waiting);
        waiting.at_disk = None;
        // Where company is expected, who comes first need not wake the writer.
        let (back, mut company) = self.gather(waiting, gather);
        waiting = back;
        while waiting.load.ends.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.wake_at = Some(1);
            waiting = self
                .arrived
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
            (waiting, company) = self.gather(waiting, gather);
        }
        waiting.wake_at = None;
        mem::swap(load, &mut waiting.load);
        let batch = mem::take(&mut waiting.batch);
        waiting.at_disk = Some((Instant::now(), batch.clone()));
        Some((batch, company))
    }

    /// Waits a window for as many as are expected.
    fn gather<'a>(
        &'a self,
        mut waiting: MutexGuard<'a, Waiting>,
        gather: &Gather,
    ) -> (MutexGuard<'a, Waiting>, Company) {
        let (expected, window) = (gather.expected(), gather.window());
        let misses = |waiting: &mut Waiting| waiting.load.ends.len() < expected && !waiting.closed;
        if expected == 1 || !misses(&mut waiting) {
            return (waiting, Company::Complete);
        }
        waiting.wake_at = Some(expected);
        waiting.came = None;
        let waited = self.arrived.wait_timeout_while(waiting, window, misses);
        let (waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        let came = waiting.came.map(|came| came.elapsed());
        let company = match came {
            _ if !timeout.timed_out() => Company::Complete,
            Some(ago) if ago < window / 2 => Company::Coming,
            _ => Company::Ceased,
        };
        (waiting, company)
    }

    /// Takes no more records; those in line are still written.
    pub(crate) fn close(&self) {
        held(&self.waiting).closed = true;
        self.arrived.notify_one();
    }

    /// Whether no more records are taken because it is being closed.
    pub(crate) fn is_closed(&self) -> bool {
        held(&self.waiting).closed
    }

    /// Takes no more records, and tells those in line why.
    pub(crate) fn break_off(&self, why: &Arc<str>) {
        let mut waiting = held(&self.waiting);
        self.broken.store(true, Ordering::Release);
        waiting.broken = Some(why.clone());
        waiting.load.clear();
        let batch = mem::take(&mut waiting.batch);
        drop(waiting);
        batch.finish(Err(Undone::Broken(why.clone())));
    }

    /// Notes that the writer is no more.
    pub(crate) fn end(&self) {
        held(&self.waiting).ended = true;
        self.ended.notify_all();
    }

    /// Waits a moment; false once the writer is no more.
    pub(crate) fn writer_lives(&self, moment: Duration) -> bool {
        let waiting = held(&self.waiting);
        let waited = self
            .ended
            .wait_timeout_while(waiting, moment, |waiting| !waiting.ended);
        !waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// Sees whether the writer has been at the disk for too long, and lets
    /// nobody wait for it then: neither those whose records it has, nor those
    /// in line, nor who comes until it is back. `tell` hears of a change before
    /// they do.
    pub(crate) fn see_stall(&self, patience: Duration, tell: impl FnOnce(bool)) {
        let waiting = held(&self.waiting);
        let late = waiting.at_disk.as_ref();
        let late = late.filter(|(since, _)| since.elapsed() >= patience);
        let batches = late.map(|(_, batch)| [batch.clone(), waiting.batch.clone()]);
        drop(waiting);
        let stalled = batches.is_some();
        // Before anyone is let go: who then asks finds it so.
        if self.stalled.swap(stalled, Ordering::AcqRel) != stalled {
            tell(stalled);
        }
        for batch in batches.into_iter().flatten() {
            batch.finish(Err(Undone::Late));
        }
    }

    /// Whether the writer has been at the disk for too long.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
    }

    /// Whether records are still taken.
    pub(crate) fn is_whole(&self) -> bool {
        !self.broken.load(Ordering::Acquire)
    }
}

/// A lock that outlives a panic elsewhere: every change under it is complete.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
