//! Whether Redis is there, since when not, and when to ask again.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use hallpass_core::ports::StoreError;
use tokio::sync::{Notify, watch};

/// The first wait before Redis is asked again.
const FIRST: Duration = Duration::from_millis(50);
/// The longest.
const LONGEST: Duration = Duration::from_secs(2);
/// Who falls again so soon after it came back waits on from where it was.
const UNSTEADY: Duration = Duration::from_secs(10);

/// Is told, once each, that Redis went away and that it is back.
///
/// It is called where a request stands, so it must not wait.
pub trait LinkObserver: Send + Sync {
    /// From now on each purpose goes by its failure policy.
    fn lost(&self, why: &str);
    /// Everything is counted together again; it was not for so long.
    fn regained(&self, after: Duration);
    /// Redis has lost what it held, and was there all the while: what is
    /// counted begins anew.
    fn emptied(&self);
}

/// Whether Redis is there.
pub(crate) struct Standing {
    up: AtomicBool,
    state: Mutex<State>,
    fell: Notify,
    returns: watch::Sender<u64>,
    observer: Arc<dyn LinkObserver>,
}

#[derive(Default)]
struct State {
    /// Since when it is away; none before the first word and while it is there.
    down_since: Option<Instant>,
    regained_at: Option<Instant>,
    wait: Duration,
}

impl Standing {
    pub(crate) fn new(observer: Arc<dyn LinkObserver>) -> Self {
        Self {
            up: AtomicBool::new(false),
            state: Mutex::default(),
            fell: Notify::new(),
            returns: watch::Sender::new(0),
            observer,
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// Lets a request ask; while Redis is away none has to find that out.
    pub(crate) fn admit(&self) -> Result<(), StoreError> {
        match self.is_up() {
            true => Ok(()),
            false => Err(StoreError("Redis is away".to_owned())),
        }
    }

    /// How long until Redis is looked at again.
    pub(crate) fn next_look(&self, steady: Duration) -> Duration {
        match self.is_up() {
            true => steady,
            false => self.state().wait,
        }
    }

    /// Ready when Redis falls.
    pub(crate) async fn fell(&self) {
        self.fell.notified().await;
    }

    /// Notes that Redis did not do what was asked.
    pub(crate) fn failed(&self, why: &StoreError) {
        let first = {
            let mut state = self.state();
            self.up.store(false, Ordering::Release);
            let first = state.down_since.is_none();
            if first {
                let unsteady = state.regained_at.is_some_and(|at| at.elapsed() < UNSTEADY);
                state.down_since = Some(Instant::now());
                state.wait = match unsteady {
                    true => longer(state.wait),
                    false => FIRST,
                };
            }
            first
        };
        if first {
            self.observer.lost(&why.0);
            self.fell.notify_one();
        }
    }

    /// Notes that it was looked for in vain.
    pub(crate) fn still_away(&self, why: &StoreError) {
        self.failed(why);
        let mut state = self.state();
        state.wait = longer(state.wait);
    }

    pub(crate) fn recovered(&self) {
        let away = {
            let mut state = self.state();
            self.up.store(true, Ordering::Release);
            let since = state.down_since.take();
            if since.is_some() {
                state.regained_at = Some(Instant::now());
            }
            since
        };
        if let Some(since) = away {
            self.returns.send_modify(|returns| *returns += 1);
            self.observer.regained(since.elapsed());
        }
    }

    pub(crate) fn emptied(&self) {
        self.returns.send_modify(|returns| *returns += 1);
        self.observer.emptied();
    }

    pub(crate) fn regained(&self) -> Regained {
        Regained(self.returns.subscribe())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for Redis to be back.
pub(crate) struct Regained(watch::Receiver<u64>);

impl Regained {
    /// Ready when it has come back since the last time.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // The link is gone, and with it every return.
            std::future::pending::<()>().await;
        }
    }
}

fn longer(wait: Duration) -> Duration {
    (wait * 2).clamp(FIRST, LONGEST)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Counted {
        lost: AtomicUsize,
        regained: AtomicUsize,
    }

    impl LinkObserver for Counted {
        fn lost(&self, _: &str) {
            self.lost.fetch_add(1, Ordering::SeqCst);
        }

        fn regained(&self, _: Duration) {
            self.regained.fetch_add(1, Ordering::SeqCst);
        }

        fn emptied(&self) {}
    }

    fn away() -> StoreError {
        StoreError("away".to_owned())
    }

    #[test]
    fn a_fall_and_a_return_are_told_once_each() {
        let told = Arc::new(Counted::default());
        let standing = Standing::new(told.clone());
        standing.recovered();
        assert_eq!(told.regained.load(Ordering::SeqCst), 0, "it never fell");
        for _ in 0..5 {
            standing.failed(&away());
        }
        assert!(standing.admit().is_err());
        for _ in 0..5 {
            standing.recovered();
        }
        assert!(standing.admit().is_ok());
        let counts = (&told.lost, &told.regained);
        assert_eq!(counts.0.load(Ordering::SeqCst), 1);
        assert_eq!(counts.1.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn waits_grow_to_a_bound_and_an_unsteady_one_waits_on() {
        let standing = Standing::new(Arc::new(Counted::default()));
        standing.failed(&away());
        let first = standing.next_look(LONGEST);
        for _ in 0..20 {
            standing.still_away(&away());
        }
        let last = standing.next_look(Duration::ZERO);
        assert_eq!((first, last), (FIRST, LONGEST));
        standing.recovered();
        standing.failed(&away());
        assert_eq!(standing.next_look(Duration::ZERO), LONGEST);
    }
}
