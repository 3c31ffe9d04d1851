//! Carries events between a socket and its session.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use super::{close, side::Side};
use crate::{
    call::Call,
    credential::LastFour,
    effective::Session,
    error::ApiError,
    fault::{Fault, Kind},
    realtime::error_event,
    sessions::{Ending, Registration, SessionSummary},
    simulator::Core,
};

/// How long a client may take to answer a close.
pub(super) const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// How long a client may leave an event unread before it is given up.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// A session that was let in.
pub(super) struct Opening {
    pub(super) id: String,
    /// The call a sideband listens to.
    pub(super) call: Option<(String, Arc<Call>)>,
    pub(super) session: Session,
    pub(super) credential: LastFour,
    pub(super) safety_identifier: Option<Box<str>>,
    pub(super) deadline: Instant,
}

impl Opening {
    fn summary(&self, core: &Core) -> SessionSummary {
        let kind = if self.call.is_some() {
            "sideband"
        } else {
            "websocket"
        };
        let now = core.timestamp();
        SessionSummary {
            call_id: self.call.as_ref().map(|(id, _)| id.clone()),
            safety_identifier: self.safety_identifier.as_deref().map(str::to_owned),
            ..SessionSummary::new(&self.id, kind, self.credential, now, &self.session)
        }
    }
}

/// One connected session.
pub(super) struct Pump {
    core: Arc<Core>,
    socket: WebSocket,
    side: Side,
    registration: Registration,
    endings: Receiver<Ending>,
    pings: Interval,
    deadline: Instant,
    fault: Option<Fault>,
}

/// What the session waits for.
enum Turn {
    Frame(Option<Result<Message, axum::Error>>),
    End(Ending),
    Ping,
    Step,
}

/// The connection is gone, with the close code the client gave, if any.
struct Gone(Option<u16>);

impl Pump {
    /// Serves a socket until either side closes.
    pub(super) async fn serve(
        core: Arc<Core>,
        mut socket: WebSocket,
        opening: Opening,
        fault: Option<Fault>,
    ) {
        // On the list before it joins, so that an end of the call reaches it.
        let (registration, endings) = core.sessions.open(opening.summary(&core));
        let side = match &opening.call {
            None => Some(Side::own(&core, opening.session)),
            Some((_, call)) => Side::join(call).await,
        };
        let Some(side) = side else {
            return close(&mut socket, 1000, String::new()).await;
        };
        let period = core.config.ping_interval.max(Duration::from_millis(1));
        let mut pings = interval_at(Instant::now() + period, period);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let pump = Self {
            core,
            socket,
            side,
            registration,
            endings,
            pings,
            deadline: opening.deadline,
            fault,
        };
        pump.run().await;
    }

    async fn run(mut self) {
        let gone = match self.start().await {
            Ok(()) => self.turns().await,
            Err(gone) => gone,
        };
        let code = gone.0.unwrap_or(1006);
        self.registration.ended(self.core.timestamp(), code);
    }

    async fn start(&mut self) -> Result<(), Gone> {
        let Some(fault) = self.fault.take() else {
            return self.greet().await;
        };
        match fault.kind {
            Kind::Close if fault.delay.is_zero() => Err(self.close_as(&fault).await),
            Kind::Close => {
                self.fault = Some(fault);
                self.greet().await
            }
            Kind::Truncate => {
                self.greet_in_half().await?;
                Err(Gone(None))
            }
            _ => {
                let text = fault
                    .body
                    .as_deref()
                    .unwrap_or(b"<html>502 Bad Gateway</html>");
                let text = String::from_utf8_lossy(text).into_owned();
                self.send(Message::text(text)).await?;
                self.greet().await
            }
        }
    }

    async fn greet(&mut self) -> Result<(), Gone> {
        self.side.greet();
        self.flush().await
    }

    async fn greet_in_half(&mut self) -> Result<(), Gone> {
        self.side.greet();
        for frame in self.side.take_frames() {
            let half: String = frame.chars().take(frame.len() / 2).collect();
            self.send(Message::text(half)).await?;
        }
        Ok(())
    }

    async fn turns(&mut self) -> Gone {
        let started = Instant::now();
        let ends = self.fault.as_ref().map(|fault| started + fault.delay);
        loop {
            if let Err(gone) = self.turn(ends).await {
                return gone;
            }
        }
    }

    async fn turn(&mut self, ends: Option<Instant>) -> Result<(), Gone> {
        match self.wait(ends).await {
            Turn::Frame(frame) => self.receive(frame).await,
            Turn::End(ending) => Err(self.end(ending).await),
            Turn::Ping => {
                let payload = (self.core.ids.next() as u32).to_be_bytes().to_vec();
                self.send(Message::Ping(payload.into())).await
            }
            Turn::Step => self.flush().await,
        }
    }

    async fn wait(&mut self, ends: Option<Instant>) -> Turn {
        let fault_end = ends.unwrap_or(self.deadline);
        tokio::select! {
            biased;
            Some(ending) = self.endings.recv() => Turn::End(ending),
            () = sleep_until(self.deadline) => Turn::End(Ending::Expired),
            () = sleep_until(fault_end), if ends.is_some() => Turn::End(self.fault_ending()),
            _ = self.pings.tick() => Turn::Ping,
            frame = self.socket.recv() => Turn::Frame(frame),
            () = self.side.moves() => Turn::Step,
        }
    }

    async fn receive(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), Gone> {
        match frame {
            Some(Ok(Message::Text(text))) => self.side.receive(text.as_str()).await,
            Some(Ok(Message::Binary(_))) => self.side.receive_binary().await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Close(frame))) => {
                // Reading on is what sends the echo of the close.
                while let Some(Ok(_)) = self.socket.recv().await {}
                return Err(Gone(Some(frame.map_or(1005, |frame| frame.code))));
            }
            Some(Err(_)) | None => return Err(Gone(None)),
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        for frame in self.side.take_frames() {
            self.send(Message::Text(Utf8Bytes::from(frame))).await?;
        }
        if let Some((session, tally)) = self.side.take_change() {
            self.registration
                .update(|summary| summary.note(session, tally));
        }
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), Gone> {
        match timeout(SEND_LIMIT, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone(None)),
        }
    }

    async fn end(&mut self, ending: Ending) -> Gone {
        let (code, reason) = match ending {
            Ending::Cut => return Gone(None),
            Ending::Close { code, reason } => (code, reason),
            Ending::Expired => {
                let error = ApiError::session_expired();
                let event = error_event(&error, None, &self.core.ids);
                let event = serde_json::Value::Object(event).to_string();
                if let Err(gone) = self.send(Message::text(event)).await {
                    return gone;
                }
                (1001, error.message)
            }
        };
        close(&mut self.socket, code, reason).await;
        Gone(Some(code))
    }

    fn fault_ending(&self) -> Ending {
        let fault = self.fault.as_ref();
        let code = fault.and_then(|fault| fault.status).unwrap_or(1011);
        let reason = fault
            .and_then(|fault| fault.body.as_deref())
            .unwrap_or_default();
        let reason = String::from_utf8_lossy(reason).chars().take(40).collect();
        Ending::Close { code, reason }
    }

    async fn close_as(&mut self, fault: &Fault) -> Gone {
        self.fault = Some(fault.clone());
        let ending = self.fault_ending();
        self.end(ending).await
    }
}
