//! Two sockets, one task, until either ends.

mod buffers;
mod leg;
mod notes;
mod pump;
mod times;

use std::{sync::Arc, time::Duration};

use hallpass_core::{live::EndReason, pipeline::Opened, profile::SessionKind};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    client::ClientJudge,
    guard::Guard,
    meter::{Meter, Prices},
    splice::{Side, Splicer},
    upstream::UpstreamJudge,
};

pub use buffers::Buffers;
use pump::Pump;

/// A connection that carries frames.
pub trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until OpenAI's session is ready.
    pub open: Duration,
    /// Until the other end has answered a close.
    pub close: Duration,
    /// Until a message that is being delivered is at its end, when the session
    /// has to end.
    pub boundary: Duration,
    /// For a reader that does not read.
    pub stall: Duration,
    /// Between looks at a budget of minutes.
    pub tick: Duration,
    /// How long before its end a session is warned.
    pub warning: Duration,
    /// Most bytes of an event that has to be seen whole.
    pub event_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(10),
            close: Duration::from_secs(2),
            boundary: Duration::from_millis(200),
            stall: Duration::from_secs(30),
            tick: Duration::from_secs(15),
            warning: Duration::from_secs(60),
            event_bytes: 4 * 1024 * 1024,
        }
    }
}

/// What all sessions of a server share.
#[derive(Clone)]
pub struct Carried {
    /// Buffers for reading.
    pub buffers: Buffers,
    /// What models cost.
    pub prices: Arc<Prices>,
    /// How long things may take.
    pub limits: Limits,
}

/// One session to be carried.
pub struct Conduit {
    /// The session.
    pub opened: Opened,
    /// The client's connection, after its 101.
    pub client: Box<dyn Pipe>,
    /// Bytes the client sent behind its request.
    pub client_ahead: Vec<u8>,
    /// OpenAI's connection, after its 101.
    pub upstream: Box<dyn Pipe>,
    /// Bytes OpenAI sent behind its answer.
    pub upstream_ahead: Vec<u8>,
    /// Whether the client offered `hallpass.v1`.
    pub hallpass_events: bool,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// The code its client was closed with, where it was told one.
    pub close_code: Option<u16>,
}

/// Carries a session until it ends, and records the end.
///
/// The future is small, since thousands wait in it.
#[expect(clippy::boxed_local, reason = "the conduit's maker is kept small, too")]
pub fn carry(conduit: Box<Conduit>, shared: Carried) -> impl Future<Output = Ended> + Send {
    let mut pump = Box::new(Pump::new(*conduit, shared));
    async move {
        let ended = std::future::poll_fn(|cx| pump.poll(cx)).await;
        let (opened, facts) = pump.into_end();
        tracing::debug!(reason = %ended.reason, "a relayed session ended");
        Box::pin(opened.close(ended.reason, facts)).await;
        ended
    }
}

/// The first event OpenAI gets: the profile, whole.
fn first_event(opened: &Opened) -> String {
    let mut session = opened.session().members().clone();
    if opened.session().kind() == SessionKind::Realtime {
        // Set by the address; OpenAI does not let it be changed.
        session.remove("model");
    }
    json!({"type": "session.update", "event_id": "event_hallpass", "session": session}).to_string()
}

pub(crate) fn transcriber(opened: &Opened) -> Option<&str> {
    let input = opened.session().members().get("audio")?.get("input")?;
    input
        .get("transcription")?
        .get("model")
        .and_then(Value::as_str)
}

fn splicers(opened: &Opened, shared: &Carried) -> (Splicer<ClientJudge>, Splicer<UpstreamJudge>) {
    let profile = opened.profile().clone();
    let model = opened.session().model().unwrap_or("unknown");
    let meter = Meter::new(shared.prices.clone(), model, transcriber(opened));
    let limit = shared.limits.event_bytes;
    (
        Splicer::new(
            Side::Client,
            limit,
            ClientJudge::new(Guard::new(profile.clone())),
        ),
        Splicer::new(Side::Upstream, limit, UpstreamJudge::new(profile, meter)),
    )
}
