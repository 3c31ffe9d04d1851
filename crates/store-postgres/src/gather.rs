//! Group commit: what many write at once goes in one statement for all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallpass_core::ports::{OwnedFuture, StoreError};
use tokio::sync::oneshot;

/// Written in one statement at most.
const BATCH: usize = 512;
/// May wait at most; the next one is refused.
const MAX_WAITING: usize = 50_000;

/// Writes a batch: all of it or nothing.
type Write<T> = Box<dyn Fn(Vec<T>) -> OwnedFuture<Result<(), StoreError>> + Send + Sync>;

/// Gathers items while a statement is on its way, and sends them in the next.
///
/// An item that comes alone is sent at once: nothing waits for company. Whoever
/// stops waiting takes nothing back.
pub(crate) struct Gather<T>(Arc<Line<T>>);

struct Line<T> {
    state: Mutex<State<T>>,
    write: Write<T>,
}

struct State<T> {
    waiting: Vec<Waiting<T>>,
    /// Whether a task is writing, and will look here again.
    writing: bool,
    /// Of these, how many are in the statement under way.
    under_way: usize,
}

struct Waiting<T> {
    item: T,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl<T: Send + 'static> Gather<T> {
    pub(crate) fn new(
        write: impl Fn(Vec<T>) -> OwnedFuture<Result<(), StoreError>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Line {
            state: Mutex::new(State {
                waiting: Vec::new(),
                writing: false,
                under_way: 0,
            }),
            write: Box::new(write),
        }))
    }

    /// How many are not written yet.
    pub(crate) fn waiting(&self) -> usize {
        let state = self.0.lock();
        state.waiting.len() + state.under_way
    }

    /// Writes an item, with whatever else is to be written; ends when it is
    /// committed.
    pub(crate) async fn put(&self, item: T) -> Result<(), StoreError> {
        let (done, committed) = oneshot::channel();
        let first = {
            let mut state = self.0.lock();
            if state.waiting.len() >= MAX_WAITING {
                return Err(StoreError(
                    "PostgreSQL is too slow: too much waits to be written".to_owned(),
                ));
            }
            state.waiting.push(Waiting { item, done });
            !std::mem::replace(&mut state.writing, true)
        };
        if first {
            // A task of its own: a caller that goes away leaves the others' work undisturbed.
            tokio::spawn(self.0.clone().write_all());
        }
        committed
            .await
            .unwrap_or_else(|_| Err(StoreError("writing to PostgreSQL was cut short".to_owned())))
    }
}

impl<T: Send + 'static> Line<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is written next; nothing left ends the writing.
    fn next(&self) -> Vec<Waiting<T>> {
        let mut state = self.lock();
        let count = state.waiting.len().min(BATCH);
        state.writing = count > 0;
        state.under_way = count;
        state.waiting.drain(..count).collect()
    }

    async fn write_all(self: Arc<Self>) {
        // Where a write panics the next item starts anew.
        let writing = Writing(&self);
        loop {
            let batch = self.next();
            if batch.is_empty() {
                break;
            }
            let (items, waiting): (Vec<T>, Vec<_>) =
                batch.into_iter().map(|it| (it.item, it.done)).unzip();
            let written = (self.write)(items).await;
            for done in waiting {
                let told = match &written {
                    Ok(()) => Ok(()),
                    Err(error) => Err(StoreError(error.0.clone())),
                };
                // Who does not listen any more has hung up.
                let _ = done.send(told);
            }
        }
        std::mem::forget(writing);
    }
}

/// Ends the writing where its task dies.
struct Writing<'l, T: Send + 'static>(&'l Line<T>);

impl<T: Send + 'static> Drop for Writing<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.writing = false;
        state.under_way = 0;
        // Each is told that its writing was cut short.
        state.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Writes when it is let; remembers the sizes of its batches.
    struct Slow {
        gate: Arc<Semaphore>,
        sizes: Arc<Mutex<Vec<usize>>>,
        gather: Arc<Gather<u32>>,
    }

    fn slow() -> Slow {
        let (gate, sizes) = (
            Arc::new(Semaphore::new(0)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let (open, noted) = (gate.clone(), sizes.clone());
        let gather = Gather::new(move |batch: Vec<u32>| {
            let (open, noted) = (open.clone(), noted.clone());
            Box::pin(async move {
                noted.lock().unwrap().push(batch.len());
                open.acquire().await.unwrap().forget();
                if batch.contains(&13) {
                    return Err(StoreError("no thirteen".to_owned()));
                }
                assert!(!batch.contains(&666), "a defect");
                Ok(())
            })
        });
        Slow {
            gate,
            sizes,
            gather: Arc::new(gather),
        }
    }

    impl Slow {
        fn put(&self, item: u32) -> tokio::task::JoinHandle<Result<(), StoreError>> {
            let gather = self.gather.clone();
            tokio::spawn(async move { gather.put(item).await })
        }

        async fn until_waiting(&self, count: usize) {
            while self.gather.waiting() != count {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn what_comes_during_a_statement_shares_the_next() {
        let slow = slow();
        let first = slow.put(0);
        slow.until_waiting(1).await;
        let others: Vec<_> = (1..=40).map(|item| slow.put(item)).collect();
        slow.until_waiting(41).await;
        slow.gate.add_permits(2);
        first.await.unwrap().unwrap();
        for other in others {
            let _ = other.await.unwrap();
        }
        assert_eq!(*slow.sizes.lock().unwrap(), [1, 40]);
        assert_eq!(slow.gather.waiting(), 0);
    }

    #[tokio::test]
    async fn a_failed_batch_is_told_to_each_and_the_next_one_is_written() {
        let slow = slow();
        slow.gate.add_permits(10);
        assert_eq!(slow.put(13).await.unwrap().unwrap_err().0, "no thirteen");
        slow.put(14).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_defect_in_one_write_does_not_stop_the_next() {
        let slow = slow();
        slow.gate.add_permits(10);
        let cut = slow.put(666).await.unwrap().unwrap_err();
        assert!(cut.0.contains("cut short"), "{cut}");
        slow.put(1).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_goes_away_takes_nothing_back() {
        let written = Arc::new(AtomicUsize::new(0));
        let (count, gate) = (written.clone(), Arc::new(Semaphore::new(0)));
        let open = gate.clone();
        let gather = Arc::new(Gather::new(move |batch: Vec<u32>| {
            let (count, open) = (count.clone(), open.clone());
            Box::pin(async move {
                open.acquire().await.unwrap().forget();
                count.fetch_add(batch.len(), Ordering::SeqCst);
                Ok(())
            })
        }));
        let ours = gather.clone();
        let caller = tokio::spawn(async move { ours.put(1).await });
        while gather.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        caller.abort();
        let _ = caller.await;
        gate.add_permits(2);
        gather.put(2).await.unwrap();
        assert_eq!(written.load(Ordering::SeqCst), 2);
    }
}
