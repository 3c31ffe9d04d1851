//! How a session ends: the other side is always told.

use std::task::{Context, Poll};

use hallpass_core::live::EndReason;
use tokio::time::Instant;

use super::{Pump, Way};
use crate::{
    guard::error_event,
    session::Ended,
    ws::{Close, Head, Opcode},
};

/// An end under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    reason: EndReason,
    /// The code that was carried through, or is ours.
    code: Option<u16>,
    /// Who closed, where it was not us.
    by: Option<Way>,
    /// Whether our close is on its way to the client.
    told: bool,
    /// Since when only the end of a message is awaited.
    began: Instant,
    /// When nothing more is awaited.
    pub(super) gives_up_at: Instant,
}

impl Pump {
    /// Ends the session for a reason of our own.
    pub(super) fn end(&mut self, reason: EndReason) {
        if self.ending.is_none() {
            self.opened.live().end(reason);
            let reason = self.opened.live().end_reason().unwrap_or(reason);
            self.begin_end(reason, None, reason.close_code());
            let going = Close::new(1000, "").payload();
            self.close_upstream(&going);
        }
    }

    /// One end closed; its frame went to the other.
    pub(super) fn closed_by(&mut self, way: Way, code: Option<u16>) {
        if way == Way::Down {
            self.notes.upstream_closed(code);
        }
        if self.ending.is_some() {
            return;
        }
        let reason = match way {
            Way::Up => EndReason::ClientClosed,
            Way::Down => EndReason::UpstreamClosed,
        };
        if way == Way::Down && !self.ready {
            // Its reason may tell of the standard key.
            self.end(EndReason::UpstreamUnreachable);
            return;
        }
        self.opened.live().end(reason);
        self.begin_end(reason, Some(way), code);
    }

    /// Notices a connection that ended without a close.
    pub(super) fn notice_ends(&mut self) {
        if self.ending.is_some() {
            return;
        }
        if self.client.ended || self.client.broken {
            self.opened.live().end(EndReason::ClientLost);
            self.begin_end(EndReason::ClientLost, None, None);
            self.close_upstream(&Close::new(1001, "").payload());
        } else if self.upstream.ended || self.upstream.broken {
            let reason = match self.ready {
                true => EndReason::UpstreamLost,
                false => EndReason::UpstreamUnreachable,
            };
            self.end(reason);
        }
    }

    fn begin_end(&mut self, reason: EndReason, by: Option<Way>, code: Option<u16>) {
        let now = Instant::now();
        let gives_up_at = now + self.limits.boundary;
        self.ending = Some(Ending {
            reason,
            code,
            by,
            told: false,
            began: now,
            gives_up_at: if by.is_some() {
                now + self.limits.close
            } else {
                gives_up_at
            },
        });
        self.times.wake_at(gives_up_at);
    }

    /// Whether bytes of a direction still go on.
    pub(super) fn passes_on(&self, way: Way) -> bool {
        match (&self.ending, way) {
            (None, _) => true,
            // The close itself, and the other end's answer to it.
            (Some(ending), _) if ending.by.is_some() => true,
            // The rest of a message that was begun.
            (Some(ending), Way::Down) => !ending.told && !self.client.ended,
            (Some(_), Way::Up) => false,
        }
    }

    /// Whether the end under way is of our own making.
    pub(super) fn ends_by_us(&self) -> bool {
        self.ending.is_some_and(|ending| ending.by.is_none())
    }

    fn close_upstream(&mut self, payload: &[u8]) {
        if self.up.between_frames() && !self.up.is_closed() {
            let key = super::new_key(&self.opened);
            self.upstream
                .push(&Head::frame(true, Opcode::Close, Some(key), payload));
        }
    }

    /// Goes on with the end; how the session ended once nothing is left to do.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) -> Option<Ended> {
        let mut ending = self.ending?;
        let now = Instant::now();
        let over = now >= ending.gives_up_at;
        if ending.by.is_none() && !ending.told {
            let between = self.down.between_messages();
            if !between && !over && !self.upstream.ended {
                return None;
            }
            if between && !self.client.broken {
                self.tell_end(&ending);
            }
            ending.told = true;
            ending.gives_up_at = ending.began.max(now) + self.limits.close;
            self.ending = Some(ending);
            self.times.wake_at(ending.gives_up_at);
            self.client.flush(cx);
            self.upstream.flush(cx);
            return self.finish(cx);
        }
        if !over && !self.is_done(&ending) {
            return None;
        }
        if ending.by == Some(Way::Up) && !self.down.is_closed() {
            // OpenAI did not answer the client's close; we do.
            let answer = ending.code.map(|code| Close::new(code, "").payload());
            let answer = answer.unwrap_or_default();
            self.client
                .push(&Head::frame(true, Opcode::Close, None, &answer));
            self.client.flush(cx);
        }
        // Best effort: whoever is still there has had its time.
        let _: Poll<()> = self.client.shut(cx);
        let _: Poll<()> = self.upstream.shut(cx);
        Some(Ended {
            reason: ending.reason,
            close_code: ending.code,
        })
    }

    /// The client's last words: an error, and a close.
    fn tell_end(&mut self, ending: &Ending) {
        let (Some(code), Some(sentence)) = (ending.code, ending.reason.sentence()) else {
            return;
        };
        self.to_client.clear();
        let kind = match ending.reason {
            EndReason::TimeLimit => "session_expired",
            reason => reason.as_str(),
        };
        let error = error_event(sentence, kind, None, None);
        self.client
            .push(&Head::frame(true, Opcode::Text, None, error.as_bytes()));
        let close = Close::new(code, sentence).payload();
        self.client
            .push(&Head::frame(true, Opcode::Close, None, &close));
    }

    fn is_done(&self, ending: &Ending) -> bool {
        let client = self.client.ended || self.client.broken || self.up.is_closed();
        let upstream = self.upstream.ended || self.upstream.broken || self.down.is_closed();
        let flushed = |leg: &super::Leg| leg.waiting() == 0 || leg.broken;
        match ending.by {
            Some(_) => client && upstream && flushed(&self.client) && flushed(&self.upstream),
            None => client && flushed(&self.client) && flushed(&self.upstream),
        }
    }
}
