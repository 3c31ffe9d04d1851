//! The session of a call, and everyone who takes part in it.
//!
//! The browser sits at a data channel, the server at sidebands; each hears
//! every event, and each may send them.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{Call, peer::Peer, peer::Sight};
use crate::{
    effective::Session,
    error::ApiError,
    realtime::{Engine, error_event},
    sessions::{Ending, Registration},
    simulator::Core,
};

/// How long a browser may take over ICE and DTLS.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Events a sideband may leave unread before it is cut.
pub(crate) const UNREAD_LIMIT: usize = 4096;

/// What is asked of a room from outside.
#[derive(Debug)]
pub(crate) enum Command {
    /// A client event, from a sideband or as if from the browser.
    Event(String),
    /// A binary frame, which no session takes.
    Binary,
    /// From now on every server event goes here too.
    Join(mpsc::Sender<Arc<str>>),
    /// The browser goes without a word to the sidebands.
    Leave,
}

/// What a room is opened with.
pub(crate) struct Opening {
    pub(crate) id: String,
    pub(crate) call: Arc<Call>,
    pub(crate) session: Session,
    pub(crate) peer: Option<Peer>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) endings: mpsc::Receiver<Ending>,
    pub(crate) registration: Registration,
}

/// One call while it is up.
pub(crate) struct Room {
    core: Arc<Core>,
    opening: Opening,
    engine: Engine,
    sidebands: Vec<mpsc::Sender<Arc<str>>>,
    connect_by: Option<Instant>,
    next_step: Instant,
}

enum Turn {
    Sight(Sight),
    Command(Command),
    Step,
    End(Ending),
    Left,
}

impl Room {
    pub(crate) fn open(core: Arc<Core>, opening: Opening) -> Self {
        let now = Instant::now();
        Self {
            engine: Engine::of_call(Arc::clone(&core), opening.session.clone()),
            connect_by: opening.peer.as_ref().map(|_| now + CONNECT_LIMIT),
            sidebands: Vec::new(),
            next_step: now,
            core,
            opening,
        }
    }

    /// Until the call ends.
    pub(crate) async fn run(mut self) {
        loop {
            let was_responding = self.engine.is_responding();
            match self.wait().await {
                Turn::Sight(Sight::Left) | Turn::Left => return self.leave(),
                Turn::End(ending) => return self.end(&ending),
                Turn::Sight(sight) => self.see(sight),
                Turn::Command(Command::Leave) => return self.leave(),
                Turn::Command(command) => self.obey(command),
                Turn::Step => {
                    self.engine.step();
                    self.pace();
                }
            }
            if !was_responding {
                self.pace();
            }
            self.flush();
        }
    }

    async fn wait(&mut self) -> Turn {
        let responding = self.engine.is_responding();
        let connect_by = self.connect_by;
        tokio::select! {
            Some(ending) = self.opening.endings.recv() => Turn::End(ending),
            () = sleep_until(self.opening.call.deadline) => Turn::End(Ending::Expired),
            () = sleep_until(connect_by.unwrap_or(self.next_step)), if connect_by.is_some() => Turn::Left,
            sight = next_of(&mut self.opening.peer) => Turn::Sight(sight),
            Some(command) = self.opening.commands.recv() => Turn::Command(command),
            () = sleep_until(self.next_step), if responding => Turn::Step,
        }
    }

    fn see(&mut self, sight: Sight) {
        match sight {
            Sight::Connected => {
                self.connect_by = None;
                self.opening.call.go_live();
                self.opening.registration.update(|it| it.connected = true);
            }
            Sight::Opened => self.engine.greet(),
            Sight::Said(text) => self.engine.receive(&text),
            Sight::SaidBinary => self.engine.receive_binary(),
            Sight::Heard(milliseconds) => {
                self.engine.hear(milliseconds);
                let heard = |it: &mut crate::SessionSummary| it.audio_in_ms += milliseconds;
                self.opening.registration.update(heard);
            }
            Sight::Played | Sight::Left => {}
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Event(text) => self.engine.receive(&text),
            Command::Binary => self.engine.receive_binary(),
            Command::Join(sideband) => self.sidebands.push(sideband),
            Command::Leave => {}
        }
    }

    /// Sound first: what is fading decides which events there are.
    fn flush(&mut self) {
        let sound = self.engine.take_sound();
        if let Some(peer) = &mut self.opening.peer {
            if sound > 0 {
                peer.play(sound);
            }
            if !self.engine.is_heard() {
                peer.hush();
            }
        }
        let silent = self.opening.peer.as_ref().is_none_or(Peer::is_silent);
        if silent && self.engine.is_fading() {
            self.engine.heard();
        }
        for frame in self.engine.take_frames() {
            self.tell(&frame);
        }
        if let Some((session, tally)) = self.engine.take_change() {
            self.opening
                .registration
                .update(|it| it.note(session, tally));
        }
    }

    fn tell(&mut self, frame: &str) {
        if let Some(peer) = &mut self.opening.peer {
            peer.send(frame);
        }
        let frame: Arc<str> = frame.into();
        // One that is full or gone is heard of no more.
        self.sidebands
            .retain(|sideband| sideband.try_send(Arc::clone(&frame)).is_ok());
    }

    fn pace(&mut self) {
        self.next_step = Instant::now() + self.core.config.response_pace;
    }

    /// The browser is gone: the sidebands are not told, as with OpenAI.
    fn leave(mut self) {
        self.close(1001);
    }

    fn end(mut self, ending: &Ending) {
        let code = match ending {
            Ending::Expired => {
                let error = error_event(&ApiError::session_expired(), None, &self.core.ids);
                let event = Value::Object(error).to_string();
                if let Some(peer) = &mut self.opening.peer {
                    peer.send(&event);
                }
                1001
            }
            Ending::Close { code, .. } => *code,
            Ending::Cut => 1006,
        };
        // Whoever joins from here on is refused, or on the list of sessions.
        self.opening.commands.close();
        self.core.sessions.end_sidebands(&self.opening.id, ending);
        self.close(code);
    }

    fn close(&mut self, code: u16) {
        if let Some(peer) = &mut self.opening.peer {
            peer.close();
        }
        self.core.calls.remove(&self.opening.id);
        self.opening.registration.ended(self.core.timestamp(), code);
    }
}

async fn next_of(peer: &mut Option<Peer>) -> Sight {
    match peer {
        Some(peer) => peer.next().await,
        None => std::future::pending().await,
    }
}
