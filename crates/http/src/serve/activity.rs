//! What a connection is doing now, and until when it may.
//!
//! The transport, the requests and their answers write here with plain atomic
//! stores; the connection's one timer reads it. So a request costs no timer,
//! no lock and at most three readings of the clock.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::Waker;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::limits::Limits;

/// How long a client may take to close its side after we closed ours.
///
/// Closing a socket with unread bytes makes the kernel reset it, and the reset
/// can overtake the answer. So we read on for a moment after the last byte.
const LINGER: Duration = Duration::from_secs(1);

const CARRY_ON: u8 = 0;
const FINISH: u8 = 1;
const CUT: u8 = 2;

/// The deadline a connection missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    FirstByte,
    Head,
    Idle,
    WriteStall,
    Linger,
}

impl Expiry {
    /// The name used in logs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::FirstByte => "first_byte",
            Self::Head => "head",
            Self::Idle => "idle",
            Self::WriteStall => "write_stall",
            Self::Linger => "linger",
        }
    }
}

/// The shared state of one connection.
///
/// Orderings are relaxed throughout: every value stands alone, and a reading
/// that is one step old only moves a deadline by that step.
#[derive(Debug)]
pub(super) struct Activity {
    opened: Instant,
    /// Milliseconds after `opened`, plus one; zero means "not in this state".
    head_since: AtomicU64,
    idle_since: AtomicU64,
    write_blocked_since: AtomicU64,
    linger_since: AtomicU64,
    in_flight: AtomicU32,
    answers_unread: AtomicU32,
    frames_taken: AtomicU64,
    is_http2: AtomicBool,
    mid_head: AtomicBool,
    served: AtomicBool,
    upgraded: AtomicBool,
    body_expired: AtomicBool,
    order: AtomicU8,
    waker: AtomicWaker,
}

impl Activity {
    pub(super) fn new(opened: Instant) -> Self {
        Self {
            opened,
            head_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            write_blocked_since: AtomicU64::new(0),
            linger_since: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            answers_unread: AtomicU32::new(0),
            frames_taken: AtomicU64::new(0),
            is_http2: AtomicBool::new(false),
            mid_head: AtomicBool::new(false),
            served: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            body_expired: AtomicBool::new(false),
            order: AtomicU8::new(CARRY_ON),
            waker: AtomicWaker::new(),
        }
    }

    fn mark(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis())
            .unwrap_or(u64::MAX - 1)
            .saturating_add(1)
    }

    fn after(&self, mark: u64, wait: Duration) -> Instant {
        self.opened + Duration::from_millis(mark - 1) + wait
    }

    // What the connection and its transport report.

    /// HTTP begins: the TLS handshake, if any, is over.
    pub(super) fn begin_http(&self) {
        self.idle_since.store(self.mark(), Relaxed);
    }

    /// The client speaks HTTP/2 from its first byte.
    pub(super) fn turn_http2(&self) {
        self.is_http2.store(true, Relaxed);
    }

    /// Bytes arrived; outside any request, they begin a head.
    ///
    /// `mid_head` says that they end inside the head of an HTTP/1 request.
    /// Between HTTP/2 requests bytes are also pings and window updates, so
    /// there only the first request's head is timed; `idle` covers the rest.
    pub(super) fn received(&self, mid_head: bool) {
        self.mid_head.store(mid_head, Relaxed);
        let settled_http2 = self.is_http2.load(Relaxed) && self.served.load(Relaxed);
        let in_request = self.in_flight.load(Relaxed) > 0;
        if !in_request && !settled_http2 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.mark(), Relaxed);
        }
    }

    /// The client made room for what was to be written.
    pub(super) fn unblocked(&self) {
        if self.write_blocked_since.load(Relaxed) != 0 {
            self.write_blocked_since.store(0, Relaxed);
        }
    }

    /// The socket takes no more.
    pub(super) fn blocked(&self) {
        if self.write_blocked_since.load(Relaxed) == 0 {
            self.write_blocked_since.store(self.mark(), Relaxed);
        }
    }

    /// Nothing more is awaited; the client gets a moment to take its leave.
    pub(super) fn linger(&self) {
        if self.linger_since.load(Relaxed) == 0 {
            self.linger_since.store(self.mark(), Relaxed);
        }
    }

    // What a request reports.

    /// A request's head is complete.
    pub(super) fn begin_request(&self) {
        self.in_flight.fetch_add(1, Relaxed);
        self.served.store(true, Relaxed);
        self.head_since.store(0, Relaxed);
    }

    /// A request is over: answered in full, or given up.
    pub(super) fn end_request(&self) {
        let now = self.mark();
        self.idle_since.store(now, Relaxed);
        if self.linger_since.load(Relaxed) != 0 {
            // Its answer is still to be flushed.
            self.linger_since.store(now, Relaxed);
        }
        if self.mid_head.load(Relaxed) {
            self.head_since.store(now, Relaxed);
        }
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// An answer has bytes that the client has not made room for.
    pub(super) fn answer_waits(&self) {
        self.answers_unread.fetch_add(1, Relaxed);
    }

    pub(super) fn answer_moves(&self) {
        self.answers_unread.fetch_sub(1, Relaxed);
    }

    /// A piece of an answer went on its way.
    pub(super) fn take_frame(&self) {
        self.frames_taken.fetch_add(1, Relaxed);
    }

    /// The body's deadline passed, so the connection cannot be used again.
    pub(super) fn expire_body(&self) {
        self.body_expired.store(true, Relaxed);
    }

    pub(super) fn body_expired(&self) -> bool {
        self.body_expired.load(Relaxed)
    }

    /// The answer is 101: after it, the bytes are no longer HTTP.
    pub(super) fn upgrade(&self) {
        self.upgraded.store(true, Relaxed);
    }

    pub(super) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Relaxed)
    }

    // What the server orders.

    pub(super) fn order_finish(&self) {
        self.order.fetch_max(FINISH, Relaxed);
        self.waker.wake();
    }

    pub(super) fn order_cut(&self) {
        self.order.fetch_max(CUT, Relaxed);
        self.waker.wake();
    }

    pub(super) fn must_finish(&self) -> bool {
        self.order.load(Relaxed) >= FINISH
    }

    pub(super) fn must_stop_now(&self) -> bool {
        self.order.load(Relaxed) == CUT
    }

    /// Names the task to wake when the server orders something.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    // What the timer asks.

    /// The next deadline, and what is missed when it passes.
    ///
    /// `None` while requests are under way and the client keeps reading: a
    /// handler's time is not this layer's to limit.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<(Instant, Expiry)> {
        let at = |cell: &AtomicU64, wait, expiry| {
            let mark = cell.load(Relaxed);
            (mark != 0).then(|| (self.after(mark, wait), expiry))
        };
        let blocked = at(
            &self.write_blocked_since,
            limits.write_stall,
            Expiry::WriteStall,
        );
        if blocked.is_some() || self.in_flight.load(Relaxed) > 0 {
            return blocked;
        }
        let lingering = at(&self.linger_since, LINGER, Expiry::Linger);
        let waiting = match self.served.load(Relaxed) {
            true => at(&self.idle_since, limits.idle, Expiry::Idle),
            false => at(&self.idle_since, limits.first_byte, Expiry::FirstByte),
        };
        let head = at(&self.head_since, limits.head, Expiry::Head);
        lingering.or(head).or(waiting)
    }

    /// Pieces sent so far, while some answer waits for the client to read.
    ///
    /// Bytes would not do: on HTTP/2 our own pings are bytes too.
    pub(super) fn unread_progress(&self) -> Option<u64> {
        (self.answers_unread.load(Relaxed) > 0).then(|| self.frames_taken.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expiry(activity: &Activity) -> Option<Expiry> {
        let limits = Limits::default();
        activity.deadline(&limits).map(|(_, expiry)| expiry)
    }

    fn seconds_left(activity: &Activity) -> u64 {
        let (at, _) = activity.deadline(&Limits::default()).unwrap();
        at.duration_since(Instant::now()).as_secs_f64().round() as u64
    }

    /// An earlier beginning is the same as a later now.
    fn pass(activity: &mut Activity, seconds: u64) {
        activity.opened -= Duration::from_secs(seconds);
    }

    fn http1() -> Activity {
        let activity = Activity::new(Instant::now());
        activity.begin_http();
        activity
    }

    #[test]
    fn a_silent_connection_owes_its_first_byte() {
        let activity = http1();
        assert_eq!(expiry(&activity), Some(Expiry::FirstByte));
        assert_eq!(seconds_left(&activity), 10);
    }

    #[test]
    fn trickled_head_bytes_do_not_move_the_deadline() {
        let mut activity = http1();
        activity.received(true);
        pass(&mut activity, 4);
        activity.received(true);
        assert_eq!(expiry(&activity), Some(Expiry::Head));
        assert_eq!(seconds_left(&activity), 6);
    }

    #[test]
    fn a_request_under_way_has_no_deadline_here() {
        let activity = http1();
        activity.received(true);
        activity.begin_request();
        activity.received(false);
        assert_eq!(expiry(&activity), None);
        activity.end_request();
        assert_eq!(expiry(&activity), Some(Expiry::Idle));
        assert_eq!(seconds_left(&activity), 60);
    }

    #[test]
    fn a_head_begun_during_a_request_is_timed_after_it() {
        let activity = http1();
        activity.begin_request();
        activity.received(true);
        activity.end_request();
        assert_eq!(expiry(&activity), Some(Expiry::Head));
    }

    #[test]
    fn a_blocked_write_outranks_everything() {
        let activity = http1();
        activity.begin_request();
        activity.blocked();
        assert_eq!(expiry(&activity), Some(Expiry::WriteStall));
        activity.unblocked();
        assert_eq!(expiry(&activity), None);
    }

    #[test]
    fn http2_pings_neither_begin_a_head_nor_move_idle() {
        let mut activity = Activity::new(Instant::now());
        activity.begin_http();
        activity.turn_http2();
        activity.received(false);
        assert_eq!(expiry(&activity), Some(Expiry::Head));
        activity.begin_request();
        activity.end_request();
        pass(&mut activity, 50);
        activity.received(false);
        assert_eq!(expiry(&activity), Some(Expiry::Idle));
        assert_eq!(seconds_left(&activity), 10);
    }

    #[test]
    fn leave_taking_waits_for_the_answer_under_way() {
        let mut activity = http1();
        activity.begin_request();
        activity.linger();
        pass(&mut activity, 5);
        assert_eq!(expiry(&activity), None);
        activity.end_request();
        assert_eq!(expiry(&activity), Some(Expiry::Linger));
        assert_eq!(seconds_left(&activity), 1);
    }

    #[test]
    fn a_cut_is_not_softened_by_a_later_finish() {
        let activity = http1();
        activity.order_cut();
        activity.order_finish();
        assert!(activity.must_stop_now());
    }
}
