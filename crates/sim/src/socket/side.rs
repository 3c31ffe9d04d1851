//! What is behind a socket: a session of its own, or a seat in a call.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    call::{Call, Command, UNREAD_LIMIT},
    effective::Session,
    realtime::{Engine, Tally},
    simulator::Core,
};

/// The session behind a socket.
pub(super) enum Side {
    /// The socket's own session.
    Own(Box<Own>),
    /// A call's session, which others share.
    Seat(Seat),
}

/// A session, and when its response moves on.
pub(super) struct Own {
    engine: Engine,
    pace: Duration,
    next_step: Instant,
}

/// A sideband's place in a call.
pub(super) struct Seat {
    room: mpsc::Sender<Command>,
    events: mpsc::Receiver<Arc<str>>,
    arrived: Vec<String>,
}

impl Side {
    /// A session of its own, which greets.
    pub(super) fn own(core: &Arc<Core>, session: Session) -> Self {
        let engine = Engine::new(Arc::clone(core), session);
        let pace = core.config.response_pace;
        let next_step = Instant::now();
        Self::Own(Box::new(Own {
            engine,
            pace,
            next_step,
        }))
    }

    /// Joins a call; `None` where it is over.
    pub(super) async fn join(call: &Call) -> Option<Self> {
        let (sender, events) = mpsc::channel(UNREAD_LIMIT);
        let room = call.room.clone();
        room.send(Command::Join(sender)).await.ok()?;
        let arrived = Vec::new();
        Some(Self::Seat(Seat {
            room,
            events,
            arrived,
        }))
    }

    /// Says hello, where the client is new to the session.
    pub(super) fn greet(&mut self) {
        if let Self::Own(own) = self {
            own.engine.greet();
        }
    }

    /// Takes a text frame.
    pub(super) async fn receive(&mut self, text: &str) {
        match self {
            Self::Own(own) => own.take(|engine| engine.receive(text)),
            Self::Seat(seat) => seat.pass(Command::Event(text.to_owned())).await,
        }
    }

    /// Takes a binary frame.
    pub(super) async fn receive_binary(&mut self) {
        match self {
            Self::Own(own) => own.take(Engine::receive_binary),
            Self::Seat(seat) => seat.pass(Command::Binary).await,
        }
    }

    /// Until there is more to send; may be dropped and called again.
    pub(super) async fn moves(&mut self) {
        match self {
            Self::Own(own) => own.step().await,
            Self::Seat(seat) => seat.hear().await,
        }
    }

    /// The events to send.
    pub(super) fn take_frames(&mut self) -> Vec<String> {
        match self {
            Self::Own(own) => own.engine.take_frames(),
            Self::Seat(seat) => std::mem::take(&mut seat.arrived),
        }
    }

    /// Session and totals, if they are the socket's own and changed.
    pub(super) fn take_change(&mut self) -> Option<(&Session, Tally)> {
        match self {
            Self::Own(own) => own.engine.take_change(),
            Self::Seat(_) => None,
        }
    }
}

impl Own {
    fn take(&mut self, event: impl FnOnce(&mut Engine)) {
        let was_responding = self.engine.is_responding();
        event(&mut self.engine);
        if !was_responding {
            self.next_step = Instant::now() + self.pace;
        }
    }

    async fn step(&mut self) {
        if !self.engine.is_responding() {
            return std::future::pending().await;
        }
        sleep_until(self.next_step).await;
        self.engine.step();
        self.next_step = Instant::now() + self.pace;
    }
}

impl Seat {
    /// A call that is over has no one to tell; the socket is ended otherwise.
    async fn pass(&self, command: Command) {
        let _ = self.room.send(command).await;
    }

    /// A browser that left takes the call with it and leaves sidebands open.
    async fn hear(&mut self) {
        match self.events.recv().await {
            Some(event) => self.arrived.push((*event).to_owned()),
            None => std::future::pending().await,
        }
    }
}
