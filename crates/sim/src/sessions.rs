//! Live sessions: sockets and calls, and how to end one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::{credential::LastFour, effective::Session, realtime::Tally, sync::lock};

/// One session, live or ended, as `GET /_sim/sessions` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct SessionSummary {
    /// `sess_…` of a socket, `rtc_…` of a call.
    pub id: String,
    /// `websocket`, `call` or `sideband`.
    pub kind: &'static str,
    /// The call a sideband listens to, or the call itself.
    pub call_id: Option<String>,
    /// Last four characters of the credential it was opened with.
    pub credential_last_four: String,
    /// `OpenAI-Safety-Identifier`, of the connection or of its client secret.
    pub safety_identifier: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub close_code: Option<u16>,
    /// Responses finished.
    pub responses: u64,
    /// Input tokens of all responses.
    pub input_tokens: u64,
    /// Output tokens of all responses.
    pub output_tokens: u64,
    /// Audio a call's browser sent, milliseconds.
    pub audio_in_ms: u64,
    /// Whether a call's browser is connected by WebRTC, not only by signalling.
    pub connected: bool,
    /// The effective session configuration.
    pub session: Map<String, Value>,
}

impl SessionSummary {
    /// A session that has just begun.
    pub(crate) fn new(
        id: &str,
        kind: &'static str,
        credential: LastFour,
        created_at: Timestamp,
        session: &Session,
    ) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            call_id: None,
            credential_last_four: credential.as_str().to_owned(),
            safety_identifier: None,
            created_at,
            ended_at: None,
            close_code: None,
            responses: 0,
            input_tokens: 0,
            output_tokens: 0,
            audio_in_ms: 0,
            connected: false,
            session: session.clone(),
        }
    }

    /// Notes a session's settings and totals.
    pub(crate) fn note(&mut self, session: &Session, tally: Tally) {
        self.session.clone_from(session);
        self.responses = tally.responses;
        self.input_tokens = tally.input_tokens;
        self.output_tokens = tally.output_tokens;
    }
}

/// How a session is told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As at the longest session's end: `session_expired`, then 1001.
    Expired,
    /// With this close frame.
    Close { code: u16, reason: String },
    /// Without a word: the connection breaks.
    Cut,
}

#[derive(Debug)]
struct Live {
    summary: SessionSummary,
    ending: mpsc::Sender<Ending>,
}

#[derive(Debug, Default)]
struct Table {
    live: HashMap<String, Live>,
    ended: VecDeque<SessionSummary>,
}

/// The register of sessions; those ended are kept up to a thousand.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    table: Mutex<Table>,
}

/// Ended sessions remembered.
const ENDED_CAPACITY: usize = 1000;

impl Sessions {
    /// Registers a session; the receiver tells it when to end.
    pub(crate) fn open(
        self: &Arc<Self>,
        summary: SessionSummary,
    ) -> (Registration, mpsc::Receiver<Ending>) {
        let (ending, endings) = mpsc::channel(1);
        let id = summary.id.clone();
        lock(&self.table)
            .live
            .insert(id.clone(), Live { summary, ending });
        let registration = Registration {
            sessions: Arc::clone(self),
            id,
            ended: None,
        };
        (registration, endings)
    }

    /// Tells one session to end; false where there is none.
    pub(crate) fn end(&self, id: &str, ending: &Ending) -> bool {
        let table = lock(&self.table);
        let Some(live) = table.live.get(id) else {
            return false;
        };
        // A full channel means it is ending already.
        let _ = live.ending.try_send(ending.clone());
        true
    }

    /// Tells the sidebands of a call to end; the answer is how many.
    pub(crate) fn end_sidebands(&self, call_id: &str, ending: &Ending) -> usize {
        let table = lock(&self.table);
        let of_call = |live: &&Live| {
            live.summary.kind == "sideband" && live.summary.call_id.as_deref() == Some(call_id)
        };
        let sidebands = table.live.values().filter(of_call);
        sidebands
            .map(|live| drop(live.ending.try_send(ending.clone())))
            .count()
    }

    /// Takes a session off the list at once, then tells it to end.
    pub(crate) fn strike(&self, id: &str, ending: &Ending, time: Timestamp, code: u16) -> bool {
        let told = self.end(id, ending);
        self.close(id, Some((time, code)));
        told
    }

    /// The configuration of a live session.
    pub(crate) fn configuration(&self, id: &str) -> Option<Session> {
        let table = lock(&self.table);
        table.live.get(id).map(|live| live.summary.session.clone())
    }

    /// Tells all sessions to end.
    pub(crate) fn end_all(&self, ending: &Ending) {
        for live in lock(&self.table).live.values() {
            let _ = live.ending.try_send(ending.clone());
        }
    }

    /// The sessions that are live, oldest first.
    pub(crate) fn live(&self) -> Vec<SessionSummary> {
        let table = lock(&self.table);
        let mut live: Vec<_> = table
            .live
            .values()
            .map(|live| live.summary.clone())
            .collect();
        live.sort_by(|one, two| (one.created_at, &one.id).cmp(&(two.created_at, &two.id)));
        live
    }

    /// The latest sessions that ended, oldest first.
    pub(crate) fn ended(&self) -> Vec<SessionSummary> {
        lock(&self.table).ended.iter().cloned().collect()
    }

    fn close(&self, id: &str, ended: Option<(Timestamp, u16)>) {
        let mut table = lock(&self.table);
        let Some(Live { mut summary, .. }) = table.live.remove(id) else {
            return;
        };
        summary.ended_at = ended.map(|(time, _)| time);
        summary.close_code = ended.map(|(_, code)| code);
        if table.ended.len() == ENDED_CAPACITY {
            table.ended.pop_front();
        }
        table.ended.push_back(summary);
    }
}

/// A session's place in the register; dropping it ends the entry.
#[derive(Debug)]
pub(crate) struct Registration {
    sessions: Arc<Sessions>,
    id: String,
    ended: Option<(Timestamp, u16)>,
}

impl Registration {
    /// Changes the entry, as after an update or a response.
    pub(crate) fn update(&self, change: impl FnOnce(&mut SessionSummary)) {
        if let Some(live) = lock(&self.sessions.table).live.get_mut(&self.id) {
            change(&mut live.summary);
        }
    }

    /// Says when and with which close code it ended.
    pub(crate) fn ended(&mut self, time: Timestamp, code: u16) {
        self.ended = Some((time, code));
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.sessions.close(&self.id, self.ended);
    }
}
