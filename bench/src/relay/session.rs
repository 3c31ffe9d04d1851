//! Clients: connected through a relay, sending audio, timing what they get.
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::LazyLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::{JoinHandle, spawn_local},
    time::{Interval, MissedTickBehavior, interval_at},
};

use super::peers::{Peer, Running, Setting};

/// Frames each way, a second and session.
pub(super) const FRAMES_A_SECOND: f64 = 20.0;
/// Characters of audio in a frame: 6 KB, 96 ms of speech.
const AUDIO: usize = 6144;
/// Digits of the time a frame was sent at.
const TIME_DIGITS: usize = 20;

pub(super) const CREATED: &str = r#"{"type":"session.created","event_id":"event_1","session":{"type":"realtime","object":"realtime.session","id":"sess_1","model":"gpt-realtime-2.1"}}"#;
pub(super) const UPDATED: &str = r#"{"type":"session.updated","event_id":"event_2","session":{"type":"realtime","object":"realtime.session","id":"sess_1","model":"gpt-realtime-2.1"}}"#;

/// When this process began to measure: times in frames count from here.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

static CLIENT_FRAME: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let audio = "A".repeat(AUDIO);
    let event = format!(r#"{{"type":"input_audio_buffer.append","audio":"{audio}"}}"#);
    frame(&event, Some([0x1f, 0x2e, 0x3d, 0x4c]))
});

/// What a client sends, again and again.
pub(super) fn client_frame() -> &'static [u8] {
    &CLIENT_FRAME
}

/// What the upstream sends now.
pub(super) fn upstream_frame() -> Vec<u8> {
    let now = BEGAN.elapsed().as_nanos();
    let audio = "A".repeat(AUDIO);
    let event = format!(
        r#"{{"type":"response.output_audio.delta","event_id":"{now:0TIME_DIGITS$}","delta":"{audio}"}}"#
    );
    frame(&event, None)
}

/// Where the time stands in such a frame.
const TIME_AT: usize = 4 + r#"{"type":"response.output_audio.delta","event_id":""#.len();

/// Ticks of one session, spread so that sessions do not send in step.
pub(super) fn ticks(number: u64) -> Interval {
    let period = Duration::from_millis(50);
    let phase = Duration::from_micros(number.wrapping_mul(7919) % 50_000);
    let mut ticks = interval_at(tokio::time::Instant::now() + phase, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    ticks
}

/// A whole frame of text.
pub(super) fn frame(text: &str, key: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![0x81];
    match u16::try_from(text.len()) {
        Ok(len @ 0..=125) => bytes.push(masked | len as u8),
        Ok(len) => {
            bytes.push(masked | 126);
            bytes.extend(len.to_be_bytes());
        }
        Err(_) => {
            bytes.push(masked | 127);
            bytes.extend((text.len() as u64).to_be_bytes());
        }
    }
    let key = key.map_or(Vec::new(), Vec::from);
    bytes.extend(&key);
    let mask = key.iter().copied().cycle().chain(std::iter::repeat(0));
    bytes.extend(text.bytes().zip(mask).map(|(byte, key)| byte ^ key));
    bytes
}

/// Reads one frame; its payload as it came.
pub(crate) async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>> {
    let first = [reader.read_u8().await?, reader.read_u8().await?];
    let len = match first[1] & 0x7f {
        126 => u64::from(reader.read_u16().await?),
        127 => reader.read_u64().await?,
        short => u64::from(short),
    };
    let mask = if first[1] & 0x80 == 0 { 0 } else { 4 };
    let mut payload = vec![0; usize::try_from(len)? + mask];
    reader.read_exact(&mut payload).await?;
    ensure!(
        first[0] == 0x81,
        "a frame that is no text: {:x?} {}",
        first,
        String::from_utf8_lossy(&payload)
    );
    Ok(payload)
}

/// Reads a head of HTTP.
pub(super) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}

/// Sessions through one relay.
pub(super) struct Fleet {
    shared: Rc<Shared>,
    writers: RefCell<Vec<OwnedWriteHalf>>,
    tasks: RefCell<Vec<JoinHandle<()>>>,
}

struct Shared {
    counts: Cell<bool>,
    arrived: Cell<u64>,
    latency: RefCell<Histogram<u64>>,
}

impl Fleet {
    /// Connects sessions, a few at a time, until each has its session.
    pub(super) async fn connect(
        running: &Running,
        setting: &Setting,
        count: usize,
    ) -> Result<Self> {
        let shared = Rc::new(Shared {
            counts: Cell::new(false),
            arrived: Cell::new(0),
            latency: RefCell::new(Histogram::new_with_bounds(1000, 60_000_000_000, 3)?),
        });
        let fleet = Self {
            shared,
            writers: RefCell::default(),
            tasks: RefCell::default(),
        };
        for number in 0..count {
            let token = &setting.tokens[number % setting.tokens.len()];
            let stream = open(running, token)
                .await
                .with_context(|| format!("session {number}"))?;
            let (reader, writer) = stream.into_split();
            fleet.writers.borrow_mut().push(writer);
            let task = spawn_local(receive(reader, fleet.shared.clone()));
            fleet.tasks.borrow_mut().push(task);
        }
        Ok(fleet)
    }

    /// Lets every session send.
    pub(super) fn talk(&self) {
        for (number, mut writer) in (0..).zip(self.writers.take()) {
            let task = spawn_local(async move {
                let mut ticks = ticks(number);
                loop {
                    ticks.tick().await;
                    if writer.write_all(client_frame()).await.is_err() {
                        return;
                    }
                }
            });
            self.tasks.borrow_mut().push(task);
        }
    }

    /// Counts from now on.
    pub(super) fn begin(&self) {
        self.shared.counts.set(true);
    }

    /// What arrived since, and how long each took.
    pub(super) fn end(&self) -> (u64, Histogram<u64>) {
        self.shared.counts.set(false);
        (
            self.shared.arrived.get(),
            self.shared.latency.borrow().clone(),
        )
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for task in self.tasks.take() {
            task.abort();
        }
    }
}

async fn receive(mut reader: OwnedReadHalf, shared: Rc<Shared>) {
    let mut frame = vec![0; upstream_frame().len()];
    while reader.read_exact(&mut frame).await.is_ok() {
        if !shared.counts.get() {
            continue;
        }
        shared.arrived.set(shared.arrived.get() + 1);
        let sent = frame.get(TIME_AT..TIME_AT + TIME_DIGITS);
        let sent = sent.and_then(|digits| str::from_utf8(digits).ok()?.parse::<u128>().ok());
        let took = sent.map(|sent| BEGAN.elapsed().as_nanos().saturating_sub(sent));
        if let Some(took) = took {
            // A time beyond its bounds is counted as the longest.
            let took = u64::try_from(took).unwrap_or(u64::MAX);
            shared.latency.borrow_mut().saturating_record(took);
        }
    }
}

/// One session, up to its first event.
pub(super) async fn open(running: &Running, token: &str) -> Result<TcpStream> {
    let (query, credential) = match running.peer {
        Peer::Hallpass => {
            let stream = TcpStream::connect(running.address).await?;
            ("", mint(running, stream, token).await?)
        }
        _ => ("?model=plain", "sk-none".to_owned()),
    };
    let mut stream = TcpStream::connect(running.address).await?;
    stream.set_nodelay(true)?;
    upgrade(running.address, &mut stream, query, &credential).await?;
    Ok(stream)
}

/// Makes a session of a connection, and waits for its first event.
pub(crate) async fn upgrade(
    address: SocketAddr,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    query: &str,
    credential: &str,
) -> Result<()> {
    let request = format!(
        "GET /v1/realtime{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {credential}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let head = read_head(stream).await?;
    ensure!(head.starts_with("HTTP/1.1 101"), "no WebSocket: {head}");
    let first = read_frame(stream).await?;
    let first = String::from_utf8_lossy(&first).into_owned();
    if !first.contains("session.created") {
        bail!("no session: {first}");
    }
    Ok(())
}

/// A pass of Hallpass's, as a page's backend would get it.
pub(super) async fn mint(
    running: &Running,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    token: &str,
) -> Result<String> {
    let body = r#"{"profile":"interview","mode":"relay"}"#;
    let request = format!(
        "POST /api/generate-client-secret HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        running.address,
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    ensure!(head.starts_with("HTTP/1.1 201"), "no secret: {answer}");
    let body: serde_json::Value = serde_json::from_str(body)?;
    Ok(body["value"].as_str().context("no secret")?.to_owned())
}
