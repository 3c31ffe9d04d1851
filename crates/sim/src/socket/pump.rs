//! Carries events between a socket and its session.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use tokio::{
    sync::mpsc::Receiver,
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};

use super::close;
use crate::{
    credential::LastFour,
    effective::Session,
    error::ApiError,
    fault::{Fault, Kind},
    realtime::{Engine, error_event},
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
    pub(super) call_id: Option<String>,
    pub(super) session: Session,
    pub(super) credential: LastFour,
    pub(super) safety_identifier: Option<Box<str>>,
    pub(super) deadline: Instant,
}

impl Opening {
    fn summary(&self, core: &Core) -> SessionSummary {
        let sideband = self.call_id.is_some();
        SessionSummary {
            id: self.id.clone(),
            kind: if sideband { "sideband" } else { "websocket" },
            call_id: self.call_id.clone(),
            credential_last_four: self.credential.as_str().to_owned(),
            safety_identifier: self.safety_identifier.as_deref().map(str::to_owned),
            created_at: core.timestamp(),
            ended_at: None,
            close_code: None,
            responses: 0,
            input_tokens: 0,
            output_tokens: 0,
            session: self.session.clone(),
        }
    }
}

/// One connected session.
pub(super) struct Pump {
    core: Arc<Core>,
    socket: WebSocket,
    engine: Engine,
    registration: Registration,
    endings: Receiver<Ending>,
    pings: Interval,
    deadline: Instant,
    greets: bool,
    fault: Option<Fault>,
    next_step: Instant,
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
    pub(super) fn open(
        core: Arc<Core>,
        socket: WebSocket,
        opening: Opening,
        fault: Option<Fault>,
    ) -> Self {
        let (registration, endings) = core.sessions.open(opening.summary(&core));
        let period = core.config.ping_interval.max(Duration::from_millis(1));
        let mut pings = interval_at(Instant::now() + period, period);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            engine: Engine::new(Arc::clone(&core), opening.session),
            core,
            socket,
            registration,
            endings,
            pings,
            deadline: opening.deadline,
            greets: opening.call_id.is_none(),
            fault,
            next_step: Instant::now(),
        }
    }

    /// Until either side closes.
    pub(super) async fn run(mut self) {
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
        if self.greets {
            self.engine.greet();
        }
        self.flush().await
    }

    async fn greet_in_half(&mut self) -> Result<(), Gone> {
        self.engine.greet();
        for frame in self.engine.take_frames() {
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
            Turn::Step => {
                self.engine.step();
                self.pace();
                self.flush().await
            }
        }
    }

    async fn wait(&mut self, ends: Option<Instant>) -> Turn {
        let responding = self.engine.is_responding();
        let fault_end = ends.unwrap_or(self.deadline);
        tokio::select! {
            biased;
            Some(ending) = self.endings.recv() => Turn::End(ending),
            () = sleep_until(self.deadline) => Turn::End(Ending::Expired),
            () = sleep_until(fault_end), if ends.is_some() => Turn::End(self.fault_ending()),
            _ = self.pings.tick() => Turn::Ping,
            frame = self.socket.recv() => Turn::Frame(frame),
            () = sleep_until(self.next_step), if responding => Turn::Step,
        }
    }

    async fn receive(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), Gone> {
        let was_responding = self.engine.is_responding();
        match frame {
            Some(Ok(Message::Text(text))) => self.engine.receive(text.as_str()),
            Some(Ok(Message::Binary(_))) => self.engine.receive_binary(),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Close(frame))) => {
                // Reading on is what sends the echo of the close.
                while let Some(Ok(_)) = self.socket.recv().await {}
                return Err(Gone(Some(frame.map_or(1005, |frame| frame.code))));
            }
            Some(Err(_)) | None => return Err(Gone(None)),
        }
        if !was_responding {
            self.pace();
        }
        self.flush().await
    }

    fn pace(&mut self) {
        self.next_step = Instant::now() + self.core.config.response_pace;
    }

    async fn flush(&mut self) -> Result<(), Gone> {
        for frame in self.engine.take_frames() {
            self.send(Message::Text(Utf8Bytes::from(frame))).await?;
        }
        if let Some((session, tally)) = self.engine.take_change() {
            self.registration.update(|summary| {
                summary.session.clone_from(session);
                summary.responses = tally.responses;
                summary.input_tokens = tally.input_tokens;
                summary.output_tokens = tally.output_tokens;
            });
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
