//! What comes from OpenAI: deltas pass, what is metered is copied, and the
//! session is shown less what a browser may not see.

use std::sync::Arc;

use hallpass_core::profile::Profile;
use serde_json::{Map, Value, json};

use crate::{
    meter::Meter,
    scan::KindScan,
    splice::{Found, Judge, Judged, Sight, Sink},
};

/// Most bytes looked at for an event's type before it passes unmetered; OpenAI
/// writes it first or second.
const LOOKED_AT: u32 = 256 * 1024;

/// How far OpenAI's session has come.
#[derive(Debug)]
enum Phase {
    /// Nothing came yet.
    Dialled,
    /// `session.created` came, with this event id; the profile is under way.
    Created(Value),
    /// The profile is in force, and the client was told.
    Running,
}

/// Judges OpenAI's messages.
pub(crate) struct UpstreamJudge {
    profile: Arc<Profile>,
    meter: Meter,
    phase: Phase,
}

impl UpstreamJudge {
    pub(crate) const fn new(profile: Arc<Profile>, meter: Meter) -> Self {
        Self {
            profile,
            meter,
            phase: Phase::Dialled,
        }
    }

    /// What becomes of an event before the profile is in force.
    fn open(&mut self, mut event: Map<String, Value>, sink: &mut Sink) -> Judged {
        let kind = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match (&self.phase, kind) {
            (Phase::Dialled, "session.created") => {
                let id = event.remove("event_id").unwrap_or_default();
                self.phase = Phase::Created(id);
            }
            (Phase::Created(event_id), "session.updated") => {
                let created = json!({
                    "type": "session.created",
                    "event_id": event_id,
                    "session": self.visible(event.get("session")),
                });
                let id = event.get("session").and_then(|session| session.get("id"));
                let id = id.and_then(Value::as_str).map(str::to_owned);
                self.phase = Phase::Running;
                sink.found.push(Found::Ready(id));
                return Judged::Forward(created.to_string().into_bytes());
            }
            (_, "error") => {
                // Its message may hold a part of the standard key.
                let code = event.get("error").and_then(|error| error.get("code"));
                let code = code.and_then(Value::as_str).unwrap_or("error");
                sink.found.push(Found::NotReady(code.to_owned()));
            }
            _ => {}
        }
        Judged::Drop
    }

    fn visible(&self, session: Option<&Value>) -> Value {
        let raw = session.and_then(|session| serde_json::value::to_raw_value(session).ok());
        let members = raw.map(|raw| self.profile.visible(&raw));
        Value::Object(members.unwrap_or_default())
    }
}

/// Where an event stands.
#[derive(Default)]
pub(crate) struct UpstreamScan {
    kind: KindScan,
    looked_at: u32,
}

impl Judge for UpstreamJudge {
    type Scan = UpstreamScan;

    fn look(&self, scan: &mut UpstreamScan, bytes: &[u8]) -> Sight {
        if !matches!(self.phase, Phase::Running) {
            return Sight::Hold;
        }
        scan.looked_at = scan
            .looked_at
            .saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        match scan.kind.take(bytes) {
            Some("session.created" | "session.updated") => Sight::Hold,
            Some(kind) if Meter::reads(kind) => Sight::Copy,
            Some(_) => Sight::Pass,
            None if scan.looked_at > LOOKED_AT => Sight::Pass,
            None => Sight::Undecided,
        }
    }

    fn kept(&self, _: &mut UpstreamScan) -> bool {
        true
    }

    fn judge(&mut self, message: Vec<u8>, sink: &mut Sink) -> Judged {
        let Ok(Value::Object(mut event)) = serde_json::from_slice(&message) else {
            return match self.phase {
                Phase::Running => Judged::Forward(message),
                _ => Judged::Drop,
            };
        };
        if !matches!(self.phase, Phase::Running) {
            return self.open(event, sink);
        }
        if let Some(session) = event.get("session") {
            let shown = self.visible(Some(session));
            event.insert("session".to_owned(), shown);
        }
        Judged::Forward(Value::Object(event).to_string().into_bytes())
    }

    fn copied(&mut self, message: Option<Vec<u8>>, sink: &mut Sink) {
        let reading = self.meter.read(message.as_deref());
        sink.found.extend(reading.map(Found::Usage));
    }

    fn skipped(&mut self, _: bool, _: &mut Sink) {}
}
