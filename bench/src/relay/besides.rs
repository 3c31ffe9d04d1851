//! What Hallpass is asked besides passing frames on: whether mints are answered
//! while thousands of sessions are held, how soon a revocation closes a thousand
//! of them, and what an idle session costs where clients speak TLS.
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, BufReader},
    net::TcpStream,
    task::spawn_local,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, pki_types::ServerName},
};

use super::{
    kib_each,
    peers::{Running, Setting},
    session,
};
use crate::{users, wire::Connection};

/// Mints that are timed while sessions are held.
const MINTS: usize = 500;
/// Mints before memory is looked at.
const WARMING: usize = 2500;
/// A first byte that opens a close frame.
const CLOSE: u8 = 0x88;
/// After this a session counts as never closed.
const NEVER: Duration = Duration::from_secs(10);

/// Mints while sessions are held.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Minted {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// A revocation of everything.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Ended {
    pub(super) sessions: usize,
    /// From the answer of the revocation to the close frame.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) longest_ms: f64,
}

/// Mints until what a server makes once is made: its caches, its file's pages.
pub(super) async fn warm_up(running: &Running, setting: &Setting) -> Result<()> {
    for number in 0..WARMING {
        let token = &setting.tokens[number % setting.tokens.len()];
        let stream = TcpStream::connect(running.address).await?;
        session::mint(running, stream, token).await?;
    }
    Ok(())
}

/// Mints one after the other, each on a connection of its own.
pub(super) async fn mint(running: &Running, setting: &Setting) -> Result<Minted> {
    let mut took = histogram()?;
    for number in 0..MINTS {
        let token = &setting.tokens[number % setting.tokens.len()];
        let begun = Instant::now();
        let stream = TcpStream::connect(running.address).await?;
        session::mint(running, stream, token).await?;
        record(&mut took, begun.elapsed());
    }
    Ok(Minted {
        p50_ms: milliseconds(&took, 0.5),
        p99_ms: milliseconds(&took, 0.99),
    })
}

/// Revokes everything and sees when each session is closed.
pub(super) async fn end_all(running: &Running, setting: &Setting, live: usize) -> Result<Ended> {
    let mut sessions = Vec::with_capacity(live);
    for number in 0..live {
        let token = &setting.tokens[number % setting.tokens.len()];
        let stream = session::open(running, token).await?;
        sessions.push(spawn_local(closed(stream)));
    }
    let admin = running.admin.context("Hallpass has an admin listener")?;
    let answered = revoke_all(admin, setting).await?;
    let mut took = histogram()?;
    for session in sessions {
        let at = tokio::time::timeout(NEVER, session).await;
        let at = at.context("a session outlived the revocation")???;
        record(&mut took, at.saturating_duration_since(answered));
    }
    Ok(Ended {
        sessions: live,
        p50_ms: milliseconds(&took, 0.5),
        p99_ms: milliseconds(&took, 0.99),
        longest_ms: milliseconds(&took, 1.0),
    })
}

/// When the answer was there.
async fn revoke_all(admin: SocketAddr, setting: &Setting) -> Result<Instant> {
    let body = r#"{"kind":"all","reason":"bench"}"#;
    let request = format!(
        "POST /api/admin/revocations HTTP/1.1\r\nhost: {admin}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        users::operator(&setting.jwt_secret)?,
        body.len()
    );
    let mut connection = Connection::open(admin).await?;
    let answer = connection.exchange(request.as_bytes()).await?;
    let answered = Instant::now();
    let text = String::from_utf8_lossy(connection.body(&answer));
    ensure!((200..300).contains(&answer.status), "no revocation: {text}");
    Ok(answered)
}

/// When the close frame of a session that says nothing was there.
async fn closed(stream: TcpStream) -> Result<Instant> {
    let mut stream = BufReader::new(stream);
    loop {
        let first = stream.read_u8().await.context("it ended without a close")?;
        let length = match stream.read_u8().await? {
            126 => u64::from(stream.read_u16().await?),
            127 => stream.read_u64().await?,
            short => u64::from(short),
        };
        let mut payload = (&mut stream).take(length);
        tokio::io::copy_buf(&mut payload, &mut tokio::io::sink()).await?;
        if first == CLOSE {
            return Ok(Instant::now());
        }
    }
}

/// KiB for each session that says nothing, over TLS.
pub(super) async fn idle_over_tls(
    running: &Running,
    setting: &Setting,
    sessions: usize,
) -> Result<f64> {
    let roots = setting.certificate.roots.clone();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let mut held = Vec::with_capacity(sessions);
    for number in 0..WARMING {
        let token = &setting.tokens[number % setting.tokens.len()];
        session::mint(running, connect(running, &connector).await?, token).await?;
    }
    for number in 0..20 {
        held.push(open_tls(running, setting, &connector, number).await?);
    }
    let before = running.usage()?;
    for number in 0..sessions {
        held.push(open_tls(running, setting, &connector, number).await?);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = running.usage()?;
    Ok(kib_each(&before, &after, sessions))
}

async fn open_tls(
    running: &Running,
    setting: &Setting,
    connector: &TlsConnector,
    number: usize,
) -> Result<TlsStream<TcpStream>> {
    let token = &setting.tokens[number % setting.tokens.len()];
    let mint = connect(running, connector).await?;
    let credential = session::mint(running, mint, token).await?;
    let mut stream = connect(running, connector).await?;
    session::upgrade(running.address, &mut stream, "", &credential).await?;
    Ok(stream)
}

async fn connect(running: &Running, connector: &TlsConnector) -> Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(running.address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    Ok(connector.connect(name, stream).await?)
}

fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1000, 60_000_000_000, 3)?)
}

fn record(histogram: &mut Histogram<u64>, took: Duration) {
    let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    histogram.saturating_record(took);
}

fn milliseconds(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e6
}
