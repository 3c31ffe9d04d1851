//! Signals, named tasks, and the end of the process.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::cli::Stop;

/// The two ways to be told to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stopping {
    /// Finish what is under way.
    pub(crate) soft: CancellationToken,
    /// Drop everything.
    pub(crate) hard: CancellationToken,
}

impl Stopping {
    /// The first SIGTERM or SIGINT stops softly, the second hard.
    ///
    /// Handlers are in place when this returns, before anything listens.
    pub(crate) fn on_signals() -> Result<Self, Stop> {
        let stopping = Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
        };
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let ours = stopping.clone();
        tokio::spawn(async move {
            for token in [&ours.soft, &ours.hard] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(stopping)
    }
}

/// Long-lived tasks, each with a name; the early end of one ends the server.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    /// Tasks end when this does.
    stop: CancellationToken,
    /// What a task that dies pulls down.
    server: CancellationToken,
    died: Arc<AtomicBool>,
}

impl Tasks {
    /// No tasks yet; one that dies cancels `server`.
    pub(crate) fn new(server: CancellationToken) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            server,
            died: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Starts a task. It is handed the token that tells it to stop.
    pub(crate) fn spawn<F>(&self, name: &'static str, start: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = tokio::spawn(start(self.stop.clone()));
        let (stop, server, died) = (self.stop.clone(), self.server.clone(), self.died.clone());
        self.tracker.spawn(async move {
            let ended = task.await;
            if ended.is_err() || !stop.is_cancelled() {
                tracing::error!(
                    task = name,
                    "a task ended before its time; the server stops"
                );
                died.store(true, Ordering::SeqCst);
                server.cancel();
            }
        });
    }

    /// Tells all tasks to stop and waits until they have. An error when one
    /// died before.
    pub(crate) async fn stop(&self) -> Result<(), Stop> {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        if self.died.load(Ordering::SeqCst) {
            return Err(Stop::no("a part of the server died; see the log"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_dies_stops_the_server() {
        let server = CancellationToken::new();
        let tasks = Tasks::new(server.clone());
        tasks.spawn("mayfly", |_| async {});
        server.cancelled().await;
        assert!(tasks.stop().await.is_err());
    }

    #[tokio::test]
    async fn a_task_that_is_told_to_stop_is_no_death() {
        let server = CancellationToken::new();
        let tasks = Tasks::new(server.clone());
        tasks.spawn("worker", |stop| async move { stop.cancelled().await });
        assert!(tasks.stop().await.is_ok());
        assert!(!server.is_cancelled());
    }
}
