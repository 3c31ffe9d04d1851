//! Who is connected: caps, counts, and telling everyone to finish.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::activity::Activity;

/// Counts of a listener, readable while it runs.
#[derive(Debug, Default)]
pub struct Statistics {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) failed_handshakes: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) panicked: AtomicU64,
    open: AtomicU64,
}

impl Statistics {
    /// The counts now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            open: self.open.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            accept_errors: self.accept_errors.load(Relaxed),
            failed_handshakes: self.failed_handshakes.load(Relaxed),
            timed_out: self.timed_out.load(Relaxed),
            panicked: self.panicked.load(Relaxed),
        }
    }
}

/// What [`Statistics`] held at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Connections open, those upgraded to WebSockets among them.
    pub open: u64,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections closed at once: their address had too many.
    pub refused: u64,
    /// Failed attempts to accept.
    pub accept_errors: u64,
    /// TLS handshakes that failed or took too long.
    pub failed_handshakes: u64,
    /// Connections closed by a deadline.
    pub timed_out: u64,
    /// Connections ended by a panic.
    pub panicked: u64,
}

#[derive(Debug, Default)]
struct Seats {
    next_id: u64,
    taken: HashMap<u64, Arc<Activity>>,
    per_address: HashMap<IpAddr, usize>,
}

/// The connections of one listener.
#[derive(Debug, Default)]
pub(super) struct Roster {
    seats: Mutex<Seats>,
    left: Notify,
    pub(super) statistics: Arc<Statistics>,
}

impl Roster {
    /// Takes a place, unless `cap` connections from this address are open.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        cap: Option<usize>,
        activity: Arc<Activity>,
        permit: OwnedSemaphorePermit,
    ) -> Option<Seat> {
        let address = household(address);
        let mut seats = self.lock();
        let count = seats.per_address.entry(address).or_default();
        if cap.is_some_and(|cap| *count >= cap) {
            self.statistics.refused.fetch_add(1, Relaxed);
            return None;
        }
        *count += 1;
        let id = seats.next_id;
        seats.next_id += 1;
        seats.taken.insert(id, activity);
        self.statistics.open.fetch_add(1, Relaxed);
        Some(Seat {
            roster: self.clone(),
            id,
            address,
            _permit: permit,
        })
    }

    /// Asks every connection to finish the requests it has.
    pub(super) fn finish_all(&self) {
        for activity in self.everyone() {
            activity.order_finish();
        }
    }

    /// Ends every connection now; answers how many there were.
    pub(super) fn cut_all(&self) -> usize {
        let everyone = self.everyone();
        for activity in &everyone {
            activity.order_cut();
        }
        everyone.len()
    }

    /// Waits until the last connection has left.
    pub(super) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.lock().taken.is_empty() {
                return;
            }
            left.await;
        }
    }

    /// A copy, so that nobody is woken under the lock.
    fn everyone(&self) -> Vec<Arc<Activity>> {
        self.lock().taken.values().cloned().collect()
    }

    fn leave(&self, id: u64, address: IpAddr) {
        let mut seats = self.lock();
        seats.taken.remove(&id);
        if let Some(count) = seats.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                seats.per_address.remove(&address);
            }
        }
        let last = seats.taken.is_empty();
        drop(seats);
        self.statistics.open.fetch_sub(1, Relaxed);
        if last {
            self.left.notify_waiters();
        }
    }

    /// Every change under the lock is complete, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place in the count; dropping it frees the place.
///
/// Whoever takes an upgraded socket apart keeps the seat as long as the socket.
#[derive(Debug)]
pub struct Seat {
    roster: Arc<Roster>,
    id: u64,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.roster.statistics.panicked.fetch_add(1, Relaxed);
        }
        self.roster.leave(self.id, self.address);
    }
}

/// The addresses counted as one: a v4 address, or a v6 network of 64 bits.
///
/// One IPv6 subscriber holds at least a /64, so counting single addresses
/// would be no cap at all.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    fn admit(roster: &Arc<Roster>, address: &str, cap: usize) -> Option<Seat> {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let activity = Arc::new(Activity::new(Instant::now()));
        roster.admit(address.parse().unwrap(), Some(cap), activity, permit)
    }

    #[test]
    fn the_cap_holds_per_address_and_frees_on_leaving() {
        let roster = Arc::new(Roster::default());
        let first = admit(&roster, "192.0.2.1", 2).unwrap();
        let _second = admit(&roster, "::ffff:192.0.2.1", 2).unwrap();
        assert!(admit(&roster, "192.0.2.1", 2).is_none());
        assert!(admit(&roster, "192.0.2.2", 2).is_some());
        drop(first);
        assert!(admit(&roster, "192.0.2.1", 2).is_some());
        let snapshot = roster.statistics.snapshot();
        assert_eq!((snapshot.refused, snapshot.open), (1, 1));
    }

    #[test]
    fn one_v6_network_counts_as_one_address() {
        let roster = Arc::new(Roster::default());
        let _first = admit(&roster, "2001:db8::1", 1).unwrap();
        assert!(admit(&roster, "2001:db8::ffff:2", 1).is_none());
        assert!(admit(&roster, "2001:db8:0:1::1", 1).is_some());
    }

    #[tokio::test]
    async fn empty_waits_for_the_last_seat() {
        let roster = Arc::new(Roster::default());
        roster.empty().await;
        let seat = admit(&roster, "192.0.2.1", 1).unwrap();
        let waiting = tokio::spawn({
            let roster = roster.clone();
            async move { roster.empty().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(seat);
        waiting.await.unwrap();
    }
}
