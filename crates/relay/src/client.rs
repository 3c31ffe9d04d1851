//! What comes from the client: audio passes, all else is judged.

use crate::{
    guard::{Guard, Verdict, refuse_unread},
    scan::{AppendScan, Appending},
    splice::{Found, Judge, Judged, Sight, Sink},
};

/// Judges a client's messages.
pub(crate) struct ClientJudge {
    guard: Guard,
    audio: bool,
}

impl ClientJudge {
    pub(crate) fn new(guard: Guard) -> Self {
        let audio = guard.lets_audio_pass();
        Self { guard, audio }
    }
}

/// Where an event stands.
#[derive(Default)]
pub(crate) struct ClientScan {
    append: AppendScan,
    complete: bool,
}

impl Judge for ClientJudge {
    type Scan = ClientScan;

    fn look(&self, scan: &mut ClientScan, bytes: &[u8]) -> Sight {
        if !self.audio {
            return Sight::Hold;
        }
        let appending = scan.append.take(bytes);
        scan.complete = appending == Appending::Complete;
        match appending {
            Appending::Perhaps => Sight::Undecided,
            Appending::Yes | Appending::Complete => Sight::PassWatched,
            Appending::No => Sight::Hold,
        }
    }

    fn kept(&self, scan: &mut ClientScan) -> bool {
        scan.complete
    }

    fn judge(&mut self, message: Vec<u8>, sink: &mut Sink) -> Judged {
        match self.guard.judge(&message) {
            Verdict::Forward { event, set_back } => {
                if !set_back.is_empty() {
                    sink.found.push(Found::SetBack(set_back));
                }
                Judged::Forward(event.into_bytes())
            }
            verdict @ Verdict::Refuse { .. } => {
                refused(verdict, sink);
                Judged::Drop
            }
        }
    }

    fn copied(&mut self, _: Option<Vec<u8>>, _: &mut Sink) {}

    fn skipped(&mut self, binary: bool, sink: &mut Sink) {
        let verdict = match binary {
            true => refuse_unread(
                "Binary frames are not supported.",
                "invalid_frame",
                "binary",
            ),
            false => refuse_unread(
                "The event is too long, or its type is not near its beginning.",
                "event_too_large",
                "too_large",
            ),
        };
        refused(verdict, sink);
    }
}

fn refused(verdict: Verdict, sink: &mut Sink) {
    if let Verdict::Refuse { error, why } = verdict {
        sink.back.push(error);
        sink.found.push(Found::Refused(why));
    }
}
