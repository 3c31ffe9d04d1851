//! Watching a live call by its sideband until it is over.

mod sight;
mod wire;

use std::{sync::Arc, time::Duration};

use hallpass_core::{
    Timestamp,
    audit::Action,
    call::{CallMaker, CallPlace, Heard, ListenError},
    live::EndReason,
    pipeline::Opened,
};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use self::{
    sight::{Sight, sight_of},
    wire::Wire,
};
use super::drift::{Drift, Pinned};
use crate::meter::{Meter, Prices};

/// How long things may take while a call is live.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until the browser has connected.
    pub connect: Duration,
    /// Without a sideband, once there was one.
    pub blind: Duration,
    /// Silence after which it is looked whether the call is still there.
    pub probe: Duration,
    /// Between looks at a budget of minutes.
    pub tick: Duration,
    /// The first wait between attempts at a sideband, and the longest.
    pub backoff: (Duration, Duration),
    /// Until OpenAI has shown the page why its call ends.
    pub farewell: Duration,
    /// How often a session is set back within a minute before it is hung up.
    pub corrections_per_minute: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            blind: Duration::from_secs(60),
            probe: Duration::from_secs(15),
            tick: Duration::from_secs(15),
            backoff: (Duration::from_millis(100), Duration::from_secs(2)),
            farewell: Duration::from_millis(150),
            corrections_per_minute: 20,
        }
    }
}

/// What the trail is told beside the reason.
type Facts = Vec<(&'static str, String)>;

/// One call under watch.
pub(super) struct Watch {
    opened: Opened,
    wire: Wire,
    meter: Meter,
    pinned: Pinned,
    patience: Patience,
    heard_at: Instant,
    /// Ends of the minutes in which sessions were set back.
    corrections: Vec<Instant>,
    drifts: u32,
    sets_back: bool,
    /// Taken over from a process that died, and not heard of since.
    unheard: bool,
}

enum Turn {
    Ended(EndReason),
    Heard(String),
    Attached,
    Over(EndReason),
    Tick,
    Due(EndReason),
}

impl Watch {
    pub(super) fn new(
        opened: Opened,
        place: CallPlace,
        maker: Arc<dyn CallMaker>,
        prices: Arc<Prices>,
        patience: Patience,
    ) -> Self {
        let session = opened.session();
        let model = session.model().unwrap_or("unknown").to_owned();
        let meter = Meter::new(prices, &model, crate::transcriber(&opened));
        let pinned = Pinned::new(opened.profile(), session);
        let on_drift = opened.profile().live.on_drift;
        Self {
            wire: Wire::new(place, maker, patience),
            sets_back: on_drift == hallpass_core::profile::OnDrift::Correct,
            meter,
            pinned,
            patience,
            heard_at: Instant::now(),
            corrections: Vec::new(),
            drifts: 0,
            unheard: false,
            opened,
        }
    }

    /// Goes on with a call that another process made, and may be over.
    pub(super) fn resumed(mut self) -> Self {
        let began = self.opened.live().facts().started_at;
        let age = until(began, self.opened.now());
        self.wire.look_again(age);
        self.unheard = true;
        self
    }

    /// Until the call is to be ended, or is over.
    pub(super) async fn until_over(mut self) -> (Opened, EndReason, Facts) {
        let mut tick = Instant::now() + self.patience.tick;
        let reason = loop {
            match self.turn(tick).await {
                Turn::Ended(reason) | Turn::Over(reason) | Turn::Due(reason) => break reason,
                Turn::Attached => {
                    self.unheard = false;
                    self.look().await;
                }
                Turn::Tick => {
                    tick = Instant::now() + self.patience.tick;
                    self.count_time();
                }
                Turn::Heard(event) => {
                    if let Some(reason) = self.take(&event).await {
                        break reason;
                    }
                }
            }
        };
        self.say_why(reason).await;
        if self.unheard {
            self.opened.skip_time();
        }
        let facts = vec![
            ("attachments", self.wire.attachments().to_string()),
            ("drifts", self.drifts.to_string()),
        ];
        (self.opened, reason, facts)
    }

    /// Counts time, but not of a call that may be long over.
    fn count_time(&self) {
        if !self.unheard {
            self.opened.tick();
        }
    }

    /// Tells the page why, by an item at the end of the conversation: the data
    /// channel is OpenAI's, and has no close reason. Waits a moment until OpenAI
    /// shows it, for a hang-up would overtake it.
    async fn say_why(&mut self, reason: EndReason) {
        let Some(sentence) = reason.sentence() else {
            return;
        };
        let text = format!("hallpass: {reason}: {sentence}");
        let event = json!({
            "type": "conversation.item.create", "event_id": FAREWELL,
            "item": {
                "id": FAREWELL_ITEM, "type": "message", "role": "system",
                "content": [{"type": "input_text", "text": text}],
            },
        });
        let said = async {
            if !self.wire.say(&event.to_string()).await {
                return;
            }
            while let wire::Next::Heard(Heard::Event(event)) = self.wire.next().await {
                if event.contains(FAREWELL_ITEM) {
                    return;
                }
            }
        };
        // One that is not shown in time is no reason to keep the call.
        let _ = timeout(self.patience.farewell, said).await;
    }

    async fn turn(&mut self, tick: Instant) -> Turn {
        let live = self.opened.live().clone();
        let (due, _) = self.due();
        tokio::select! {
            biased;
            reason = live.ended() => Turn::Ended(reason),
            () = sleep_until(due) => self.if_due(),
            () = sleep_until(tick) => Turn::Tick,
            next = self.wire.next() => match next {
                wire::Next::Attached => Turn::Attached,
                wire::Next::Heard(Heard::Event(event)) => Turn::Heard(event),
                wire::Next::Heard(_) => Turn::Tick,
                wire::Next::Over(reason) => Turn::Over(reason),
            },
        }
    }

    /// When time alone ends it, and why.
    fn due(&self) -> (Instant, EndReason) {
        let (at, reason) = self.opened.live().due();
        let at = Instant::now() + until(self.opened.now(), at);
        let idle = self.opened.profile().live.idle_seconds;
        let idle = idle.map(|seconds| self.heard_at + Duration::from_secs(seconds.into()));
        match idle {
            Some(idle) if idle < at => (idle, EndReason::Idle),
            _ => (at, reason),
        }
    }

    /// A lease may have been renewed while its end was waited for.
    fn if_due(&self) -> Turn {
        match self.due() {
            (at, reason) if at <= Instant::now() => Turn::Due(reason),
            _ => Turn::Tick,
        }
    }

    /// Asks for the session as it is: a sideband gets no `session.created`, and
    /// the browser may have changed it before.
    async fn look(&mut self) {
        let kind = self.opened.session().kind().to_string();
        let look = json!({
            "type": "session.update", "event_id": LOOK, "session": {"type": kind},
        });
        self.wire.say(&look.to_string()).await;
    }

    async fn take(&mut self, event: &str) -> Option<EndReason> {
        match sight_of(event, self.opened.profile().live.system_items) {
            Sight::Session(session) => {
                self.pinned.hold_instructions(&session);
                self.compare(&session).await
            }
            Sight::Usage => {
                self.heard_at = Instant::now();
                if let Some(reading) = self.meter.read(Some(event.as_bytes())) {
                    self.opened.measure(&reading);
                }
                None
            }
            Sight::Foreign(item) => self.refuse_item(&item).await,
            // What could not be set back stays as it is, so it must end.
            Sight::Refused(ours) if ours == SET_BACK => Some(EndReason::PolicyViolation),
            Sight::Expired => Some(EndReason::UpstreamClosed),
            Sight::Refused(_) | Sight::Quiet => None,
            Sight::Other => {
                self.heard_at = Instant::now();
                None
            }
        }
    }

    async fn compare(&mut self, session: &Map<String, Value>) -> Option<EndReason> {
        let Drift { members, set_back } = self.pinned.compare(session)?;
        let answer = if self.sets_back {
            "set_back"
        } else {
            "hung_up"
        };
        self.note(Action::SessionDrift, "members", members.join(", "), answer);
        if !self.may_correct() {
            return Some(EndReason::PolicyViolation);
        }
        let event = json!({
            "type": "session.update", "event_id": SET_BACK, "session": set_back,
        });
        self.wire.say(&event.to_string()).await;
        None
    }

    async fn refuse_item(&mut self, item: &str) -> Option<EndReason> {
        let answer = if self.sets_back { "deleted" } else { "hung_up" };
        self.note(Action::SessionGuard, "item", item.to_owned(), answer);
        if !self.may_correct() {
            return Some(EndReason::PolicyViolation);
        }
        let event = json!({
            "type": "conversation.item.delete", "event_id": DELETE, "item_id": item,
        });
        self.wire.say(&event.to_string()).await;
        None
    }

    /// Whether the profile wants it set back, and it was not too often.
    fn may_correct(&mut self) -> bool {
        let now = Instant::now();
        self.corrections.retain(|end| *end > now);
        self.corrections.push(now + Duration::from_secs(60));
        let often = u32::try_from(self.corrections.len()).unwrap_or(u32::MAX);
        self.sets_back && often <= self.patience.corrections_per_minute
    }

    fn note(&mut self, action: Action, what: &'static str, told: String, answer: &str) {
        self.drifts = self.drifts.saturating_add(1);
        self.opened
            .note(action, vec![(what, told), ("answer", answer.to_owned())]);
    }
}

/// Our events' ids, by which refusals are known again.
const LOOK: &str = "event_hallpass_look";
const SET_BACK: &str = "event_hallpass_set_back";
const DELETE: &str = "event_hallpass_delete";
const FAREWELL: &str = "event_hallpass_farewell";
/// The item that tells the page why its call ends.
const FAREWELL_ITEM: &str = "item_hallpass_ended";

/// How long it is until a moment; nothing where it is past.
fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// Whether a sideband may come yet.
fn may_come(error: &ListenError) -> bool {
    !matches!(error, ListenError::NoCall)
}
