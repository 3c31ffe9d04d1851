//! Moves bytes both ways, and ends what has to end.

mod ending;

use std::task::{Context, Poll};

use hallpass_core::{live::EndReason, pipeline::Opened};
use serde_json::json;

use self::ending::Ending;
use super::{
    Buffers, Carried, Conduit, Ended, Limits, first_event,
    leg::Leg,
    notes::Notes,
    splicers,
    times::{Due, Times},
};
use crate::{
    client::ClientJudge,
    splice::{Found, Part, Sink, Splicer, Violation},
    upstream::UpstreamJudge,
    ws::{Head, Opcode},
};

/// Bytes that may wait for a client before more of its events are read: it
/// could make us answer and never read.
const MAX_WAITING: usize = 64 * 1024;
/// Reads in one direction before the other has its turn.
const TURN: usize = 8;

/// A session under way.
pub(super) struct Pump {
    opened: Opened,
    client: Leg,
    upstream: Leg,
    up: Splicer<ClientJudge>,
    down: Splicer<UpstreamJudge>,
    /// Events of ours that wait for the end of a message.
    to_client: Vec<String>,
    ready: bool,
    /// The client's bytes mean nothing any more.
    deaf: bool,
    hallpass_events: bool,
    times: Times,
    notes: Notes,
    ending: Option<Ending>,
    buffers: Buffers,
    limits: Limits,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// What came of reading in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing was there, or it may not be read.
    Nothing,
    /// All that was there.
    Some,
    /// As much as one turn may take; there may be more.
    Full,
}

impl Pump {
    pub(super) fn new(conduit: Conduit, shared: Carried) -> Self {
        let (up, down) = splicers(&conduit.opened, &shared);
        let Conduit {
            opened,
            client,
            client_ahead,
            upstream,
            upstream_ahead,
            hallpass_events,
        } = conduit;
        let mut upstream = Leg::new(upstream, upstream_ahead);
        let first = first_event(&opened);
        let key = new_key(&opened);
        upstream.push(&Head::frame(
            true,
            Opcode::Text,
            Some(key),
            first.as_bytes(),
        ));
        Self {
            client: Leg::new(client, client_ahead),
            upstream,
            up,
            down,
            to_client: Vec::new(),
            ready: false,
            deaf: false,
            hallpass_events,
            times: Times::new(&opened, shared.limits),
            notes: Notes::default(),
            ending: None,
            buffers: shared.buffers,
            limits: shared.limits,
            opened,
        }
    }

    /// What is left when it has ended: the session, and what the trail is told.
    pub(super) fn into_end(self) -> (Opened, Vec<(&'static str, String)>) {
        let facts = self.notes.facts();
        (self.opened, facts)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        loop {
            if self.ending.is_none()
                && let Poll::Ready(reason) = self.opened.live().poll_ended(cx)
            {
                self.end(reason);
            }
            let flushed = self.client.flush(cx) | self.upstream.flush(cx);
            let (down, up) = (self.pump(cx, Way::Down), self.pump(cx, Way::Up));
            let told = self.tell_client(cx);
            let moved = flushed || told || down != Turn::Nothing || up != Turn::Nothing;
            let more = told || down == Turn::Full || up == Turn::Full;
            self.client.nudge(cx);
            self.upstream.nudge(cx);
            self.notice_ends();
            if let Some(ended) = self.finish(cx) {
                return Poll::Ready(ended);
            }
            if self.times.poll(cx).is_ready() {
                // Once more round, so that the timer knows this task again.
                self.on_time();
            } else if !moved || (!more && self.is_settled()) {
                return Poll::Pending;
            }
        }
    }

    /// Whether both directions were read until nothing came, nothing waits to
    /// be written and nothing ends: another round would find nothing to do.
    const fn is_settled(&self) -> bool {
        self.ending.is_none() && self.client.waiting() == 0 && self.upstream.waiting() == 0
    }

    /// Reads and passes on.
    fn pump(&mut self, cx: &mut Context<'_>, way: Way) -> Turn {
        if !self.may_read(way) {
            return Turn::Nothing;
        }
        let mut buffer = self.buffers.take();
        let turn = self.pump_through(cx, way, &mut buffer);
        self.buffers.give_back(buffer);
        turn
    }

    fn pump_through(&mut self, cx: &mut Context<'_>, way: Way, buffer: &mut [u8]) -> Turn {
        let mut turn = Turn::Nothing;
        for _ in 0..TURN {
            if !self.may_read(way) {
                return turn;
            }
            let read = match way {
                Way::Up => self.client.read(cx, buffer),
                Way::Down => self.upstream.read(cx, buffer),
            };
            match read {
                Poll::Pending => return turn,
                Poll::Ready(Ok(0) | Err(_)) => self.leg(way).ended = true,
                Poll::Ready(Ok(count)) => self.take(cx, way, &buffer[..count]),
            }
            turn = Turn::Some;
        }
        Turn::Full
    }

    fn leg(&mut self, from: Way) -> &mut Leg {
        match from {
            Way::Up => &mut self.client,
            Way::Down => &mut self.upstream,
        }
    }

    /// Nothing is read that could not be put anywhere.
    fn may_read(&self, way: Way) -> bool {
        match way {
            Way::Up => {
                !self.client.ended
                    && (self.ready || self.ending.is_some())
                    && self.upstream.waiting() == 0
                    && self.client.waiting() <= MAX_WAITING
                    && self.to_client.is_empty()
            }
            Way::Down => !self.upstream.ended && self.client.waiting() == 0,
        }
    }

    fn take(&mut self, cx: &mut Context<'_>, way: Way, input: &[u8]) {
        if self.deaf && way == Way::Up {
            return;
        }
        let mut sink = Sink::default();
        let opened = &self.opened;
        let keys: &mut dyn FnMut() -> [u8; 4] = &mut || new_key(opened);
        let taken = match way {
            Way::Up => self.up.take(input, &mut sink, keys),
            Way::Down => self.down.take(input, &mut sink, keys),
        };
        if sink.spoke {
            self.times.active();
        }
        let passes_on = self.passes_on(way);
        for found in std::mem::take(&mut sink.found) {
            self.found(found);
        }
        // A close before the session is ready, or in answer to ours, is not for
        // the client; it is the last part of what goes on.
        if way == Way::Down && sink.closed.is_some() && (!self.ready || self.ends_by_us()) {
            sink.onward.pop();
        }
        if passes_on {
            let to = match way {
                Way::Up => &mut self.upstream,
                Way::Down => &mut self.client,
            };
            deliver(to, cx, &sink, input);
        }
        if self.ending.is_none() {
            self.to_client.extend(sink.back);
        }
        if let Some(close) = sink.closed {
            let code = close.map(|close| close.code);
            self.closed_by(way, code);
        }
        if let Err(violation) = taken {
            self.violated(way, violation);
        }
    }

    fn found(&mut self, found: Found) {
        match found {
            Found::Usage(reading) => {
                if let Some((bound, part)) = self.opened.measure(&reading) {
                    self.warn("budget", Some((bound, part)));
                }
            }
            Found::Refused(why) => self.notes.refused(&self.opened, why),
            Found::SetBack(members) => {
                self.notes.set_back(&self.opened, &members);
                self.hallpass(json!({"type": "hallpass.set_back", "members": members}));
            }
            Found::Ready(id) => {
                self.ready = true;
                self.times.opened();
                if let Some(id) = id {
                    self.opened.live().set_upstream_id(&id);
                }
                self.greet();
            }
            Found::NotReady(code) => {
                self.notes
                    .cause(format!("OpenAI refused the session: {code}"));
                self.end(EndReason::ProfileRefused);
            }
        }
    }

    /// Tells a client that asked for it what session it has.
    fn greet(&mut self) {
        let live = self.opened.live();
        let session = json!({
            "type": "hallpass.session",
            "id": live.id().as_str(),
            "grant": live.grant().id.as_str(),
            "ends_at": live.facts().ends_at.as_second(),
            "lease_until": live.lease_until().map(hallpass_core::Timestamp::as_second),
        });
        self.hallpass(session);
    }

    fn warn(&mut self, kind: &'static str, budget: Option<(&'static str, u8)>) {
        let (ends, _) = self.opened.live().due();
        let seconds = ends.duration_since(self.opened.now()).as_secs().max(0);
        self.hallpass(match budget {
            Some((bound, part)) => {
                json!({"type": "hallpass.warning", "kind": kind, "bound": bound, "percent": part})
            }
            None => json!({"type": "hallpass.warning", "kind": kind, "seconds_left": seconds}),
        });
    }

    #[allow(clippy::needless_pass_by_value, reason = "an event is made to be sent")]
    fn hallpass(&mut self, event: serde_json::Value) {
        if self.hallpass_events && self.ending.is_none() {
            self.to_client.push(event.to_string());
        }
    }

    /// Sends events of ours once the client is between messages.
    fn tell_client(&mut self, cx: &mut Context<'_>) -> bool {
        let may = self.ready && self.down.between_messages() && !self.down.is_closed();
        if self.to_client.is_empty() || !may {
            return false;
        }
        for event in std::mem::take(&mut self.to_client) {
            let frame = Head::frame(true, Opcode::Text, None, event.as_bytes());
            self.client.send(cx, &frame);
        }
        true
    }

    /// Does one thing that is due, or sets the timer.
    fn on_time(&mut self) {
        if let Some(ending) = &self.ending {
            self.times.wake_at(ending.gives_up_at);
            return;
        }
        let stalled = [self.client.stalled, self.upstream.stalled];
        let stalled = stalled.into_iter().flatten().min();
        match self.times.due(&self.opened, stalled) {
            None => {}
            Some(Due::End(reason)) => self.end(reason),
            Some(Due::Warn(kind)) => self.warn(kind, None),
            Some(Due::Tick) => {
                if let Some((bound, part)) = self.opened.tick() {
                    self.warn("budget", Some((bound, part)));
                }
            }
        }
    }

    fn violated(&mut self, way: Way, violation: Violation) {
        self.notes.cause(violation.to_string());
        let reason = match (way, violation) {
            (Way::Down, _) => EndReason::UpstreamLost,
            (Way::Up, Violation::Promise) => EndReason::PolicyViolation,
            (Way::Up, Violation::Protocol(_)) => EndReason::ProtocolError,
        };
        // Nothing more of it can be understood; the client's is still read, so
        // that no reset overtakes what it is told.
        match way {
            Way::Up => self.deaf = true,
            Way::Down => self.upstream.ended = true,
        }
        self.end(reason);
    }
}

/// Writes what goes on: in most cases one range of the input.
fn deliver(to: &mut Leg, cx: &mut Context<'_>, sink: &Sink, input: &[u8]) {
    match sink.onward.as_slice() {
        [] => {}
        [Part::Input(range)] => to.send(cx, &input[range.clone()]),
        _ => to.send(cx, &sink.joined(input)),
    }
}

fn new_key(opened: &Opened) -> [u8; 4] {
    let mut key = [0; 4];
    opened.fill(&mut key);
    key
}
