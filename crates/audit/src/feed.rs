//! What the writer made durable, told to those who follow the trail: nobody
//! reads again what this process itself wrote.
//!
//! A listener that lags loses the oldest; what it was not told it finds in the
//! files.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak},
};

use hallpass_core::audit::AuditEvent;
use tokio::sync::Notify;

use crate::{
    chain::{Hash, Link},
    queue::held,
};

/// Most records that wait for one listener.
const MOST: usize = 8192;
/// Records that are worth a step: a listener is woken when so many wait.
const PLENTY: usize = 512;

/// A record as its writer knows it.
#[derive(Debug)]
pub struct Told {
    pub(crate) hash: Hash,
    /// What happened, where it is a final record.
    pub(crate) event: Option<AuditEvent>,
}

/// Records that became durable together, in order.
#[derive(Debug)]
pub(crate) struct Batch {
    first: u64,
    records: Vec<Told>,
}

impl Batch {
    /// The number after the last.
    pub(crate) const fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// The record of a number, if it is among these.
    pub(crate) fn record(&self, number: u64) -> Option<&Told> {
        let place = number.checked_sub(self.first)?;
        self.records.get(usize::try_from(place).ok()?)
    }
}

/// Where the writer tells what is durable.
#[derive(Debug, Default)]
pub(crate) struct Feed(Mutex<Vec<Weak<Waiting>>>);

impl Feed {
    /// Listens to what is told from now on.
    pub(crate) fn listen(&self) -> Ear {
        let waiting = Arc::new(Waiting::default());
        held(&self.0).push(Arc::downgrade(&waiting));
        Ear(waiting)
    }

    /// Tells of records that became durable together.
    pub(crate) fn tell(&self, links: &[Link], events: impl Iterator<Item = Option<AuditEvent>>) {
        let mut listeners = held(&self.0);
        listeners.retain(|listener| listener.strong_count() > 0);
        let Some(first) = links.first().filter(|_| !listeners.is_empty()) else {
            return;
        };
        let told = links.iter().zip(events).map(|(link, event)| Told {
            hash: link.hash,
            event,
        });
        let batch = Arc::new(Batch {
            first: first.sequence,
            records: told.collect(),
        });
        for listener in listeners.iter().filter_map(Weak::upgrade) {
            listener.push(batch.clone());
        }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    heard: Mutex<Heard>,
    plenty: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    batches: VecDeque<Arc<Batch>>,
    records: usize,
}

impl Heard {
    fn pop(&mut self) -> Option<Arc<Batch>> {
        let batch = self.batches.pop_front()?;
        self.records -= batch.records.len();
        Some(batch)
    }
}

impl Waiting {
    fn push(&self, batch: Arc<Batch>) {
        let mut heard = held(&self.heard);
        let before = heard.records;
        heard.records += batch.records.len();
        heard.batches.push_back(batch);
        let wakes = before < PLENTY && heard.records >= PLENTY;
        while heard.records > MOST && heard.pop().is_some() {}
        drop(heard);
        if wakes {
            self.plenty.notify_one();
        }
    }
}

/// Hears what is told.
#[derive(Debug)]
pub(crate) struct Ear(Arc<Waiting>);

impl Ear {
    /// Takes the oldest records that wait, less those before a number.
    pub(crate) fn take(&self, next: u64) -> Option<Arc<Batch>> {
        let mut heard = held(&self.0.heard);
        loop {
            let batch = heard.pop()?;
            if batch.end() > next {
                return Some(batch);
            }
        }
    }

    /// Ends when so many records wait that a step is worth it.
    pub(crate) async fn plenty(&self) {
        while held(&self.0.heard).records < PLENTY {
            self.0.plenty.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Waker},
    };

    use hallpass_core::{
        Timestamp,
        audit::{Action, Outcome},
    };

    use super::*;

    fn tell(feed: &Feed, numbers: std::ops::Range<u64>) {
        let link = |sequence: u64| Link {
            sequence,
            hash: Hash::of(&sequence.to_be_bytes()),
        };
        let links: Vec<Link> = numbers.map(link).collect();
        let event = AuditEvent::outcome(Timestamp::MIN, Action::GrantRead, Outcome::Success);
        let events = links.iter().map(|_| Some(event.clone()));
        feed.tell(&links, events);
    }

    #[test]
    fn each_listener_hears_all_that_is_told_after_it_came() {
        let feed = Feed::default();
        tell(&feed, 0..2);
        let ears = [feed.listen(), feed.listen()];
        tell(&feed, 2..5);
        tell(&feed, 5..6);
        for ear in ears {
            let batch = ear.take(0).unwrap();
            assert!(batch.record(1).is_none() && batch.record(5).is_none());
            let hash = Hash::of(&4_u64.to_be_bytes());
            assert_eq!(batch.record(4).unwrap().hash, hash);
            assert_eq!(ear.take(5).unwrap().end(), 6);
            assert!(ear.take(0).is_none());
        }
    }

    #[test]
    fn who_lags_loses_the_oldest_and_who_left_holds_nothing() {
        let feed = Feed::default();
        let (ear, gone) = (feed.listen(), feed.listen());
        drop(gone);
        for first in (0..3 * MOST as u64).step_by(64) {
            tell(&feed, first..first + 64);
        }
        assert_eq!(held(&feed.0).len(), 1);
        assert_eq!(ear.take(0).unwrap().first, 2 * MOST as u64);
        assert!(held(&ear.0.heard).records < MOST);
    }

    fn is_pending(woken: Pin<&mut impl Future<Output = ()>>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        woken.poll(&mut context).is_pending()
    }

    #[tokio::test]
    async fn a_listener_is_woken_when_many_wait() {
        let feed = Feed::default();
        let ear = feed.listen();
        let woken = ear.plenty();
        tokio::pin!(woken);
        assert!(is_pending(woken.as_mut()));
        tell(&feed, 0..PLENTY as u64 - 1);
        assert!(is_pending(woken.as_mut()));
        tell(&feed, 600..601);
        woken.await;
    }
}
