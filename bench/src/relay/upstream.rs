//! A simulated OpenAI that takes any number of sessions and counts frames.
use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};

use anyhow::Result;
use aws_lc_rs::digest;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::{JoinHandle, spawn_local},
};

use super::session::{self, read_frame};

/// The listening end; its sessions run on this thread.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    shared: Rc<Shared>,
    _task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    talks: Cell<bool>,
    received: Cell<u64>,
}

impl Upstream {
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Rc::new(Shared::default());
        let accepting = shared.clone();
        let task = spawn_local(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                number += 1;
                spawn_local(serve(stream, number, accepting.clone()));
            }
        });
        Ok(Self {
            address,
            shared,
            _task: task,
        })
    }

    /// Whether sessions send audio.
    pub(super) fn talk(&self, talks: bool) {
        self.shared.talks.set(talks);
    }

    /// Counts from now on.
    pub(super) fn begin(&self) {
        self.shared.received.set(0);
    }

    /// Frames that arrived since.
    pub(super) fn received(&self) -> u64 {
        self.shared.received.get()
    }
}

async fn serve(stream: TcpStream, number: u64, shared: Rc<Shared>) {
    // A session that ends is no error here.
    let _ = carry(stream, number, &shared).await;
}

async fn carry(mut stream: TcpStream, number: u64, shared: &Rc<Shared>) -> Result<()> {
    stream.set_nodelay(true)?;
    let head = session::read_head(&mut stream).await?;
    let header = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let accept = accept(&header("sec-websocket-key").unwrap_or_default());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream
        .write_all(&session::frame(session::CREATED, None))
        .await?;
    let (mut reader, mut writer) = stream.into_split();
    // Hallpass sends the profile first, and its client hears of nothing before.
    if !head.contains("plain") {
        read_frame(&mut reader).await?;
        writer
            .write_all(&session::frame(session::UPDATED, None))
            .await?;
    }
    let sending = spawn_local(send(writer, number, shared.clone()));
    let read = receive(&mut reader, shared).await;
    sending.abort();
    read
}

async fn receive(reader: &mut OwnedReadHalf, shared: &Shared) -> Result<()> {
    let mut frame = vec![0; session::client_frame().len()];
    loop {
        reader.read_exact(&mut frame).await?;
        shared.received.set(shared.received.get() + 1);
    }
}

async fn send(mut writer: OwnedWriteHalf, number: u64, shared: Rc<Shared>) {
    let mut ticks = session::ticks(number);
    loop {
        ticks.tick().await;
        if !shared.talks.get() {
            // Nothing to do until everyone is there; looked at now and then.
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        }
        if writer.write_all(&session::upstream_frame()).await.is_err() {
            return;
        }
    }
}

fn accept(key: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key.as_bytes());
    context.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64(context.finish().as_ref())
}

/// The one value here that has to be base64.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut bits = 0;
        for index in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0));
        }
        for place in 0..4 {
            text.push(if place <= chunk.len() {
                digit(bits >> (18 - 6 * place))
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_key_has_the_rfcs_answer() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }
}
