//! A proxy that breaks connections byte by byte, as networks and broken
//! servers do.
//!
//! What a simulator's faults can't do happens here: below HTTP, or in bytes no
//! HTTP server would send.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// What the proxy does with connections that arrive from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chaos {
    /// Passes all bytes on.
    None,
    /// Resets each connection before it reads.
    ResetAtOnce,
    /// Reads a whole request, then resets: nobody behind it hears of it.
    ResetAfterRequest,
    /// Passes the request on and the answer's head, then resets.
    ResetAfterHead,
    /// Passes the request on, and so many bytes of the answer, then resets.
    ResetInAnswer(usize),
    /// Takes connections and says nothing, ever.
    Silence,
    /// Passes the answer on one byte at a time, with this pause after each.
    Trickle(Duration),
    /// Answers each request with these bytes, and passes nothing on.
    Answer(Vec<u8>),
}

/// A running proxy. Dropped, it lets go of its port and all connections.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    chaos: Arc<Mutex<Chaos>>,
    connections: Arc<Mutex<JoinSet<()>>>,
    accepting: JoinHandle<()>,
    held: watch::Sender<bool>,
    resets: watch::Sender<u64>,
}

/// What happens to connections that are open.
#[derive(Clone)]
struct Levers {
    /// Whether bytes stand still.
    held: watch::Receiver<bool>,
    /// Changes whenever all are reset.
    resets: watch::Receiver<u64>,
}

impl ChaosProxy {
    /// Starts a proxy before a server.
    pub async fn start(server: SocketAddr) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let chaos = Arc::new(Mutex::new(Chaos::None));
        let connections = Arc::<Mutex<JoinSet<()>>>::default();
        let (held, resets) = (watch::Sender::new(false), watch::Sender::new(0));
        let levers = Levers {
            held: held.subscribe(),
            resets: resets.subscribe(),
        };
        let (now, open) = (Arc::clone(&chaos), Arc::clone(&connections));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let chaos = now.lock().unwrap().clone();
                let mut open = open.lock().unwrap();
                open.spawn(serve(stream, server, chaos, levers.fresh()));
                while open.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            chaos,
            connections,
            accepting,
            held,
            resets,
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this with connections from now on, and ends those that are open.
    pub fn set(&self, chaos: Chaos) {
        *self.chaos.lock().unwrap() = chaos;
        self.connections.lock().unwrap().abort_all();
    }
}

impl ChaosProxy {
    /// Stalls all connections, those that are open too, or lets them go on: as
    /// when a network takes no packets any more and nobody is told.
    pub fn stall(&self, stalled: bool) {
        self.held.send_replace(stalled);
    }

    /// Resets all connections that pass bytes on, at both ends, with what is
    /// under way; new ones are taken.
    pub fn reset(&self) {
        self.resets.send_modify(|times| *times += 1);
    }

    /// Connections that neither side has ended.
    ///
    /// # Panics
    ///
    /// When a connection's task panicked before.
    #[must_use]
    pub fn open(&self) -> usize {
        let mut connections = self.connections.lock().unwrap();
        while connections.try_join_next().is_some() {}
        connections.len()
    }

    /// Waits until no more than this many connections are open.
    pub async fn until_open_at_most(&self, connections: usize) {
        while self.open() > connections {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Levers {
    /// For a connection that is opened now: earlier resets are not its own.
    fn fresh(&self) -> Self {
        let mut fresh = self.clone();
        fresh.resets.mark_unchanged();
        fresh
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.connections.lock().unwrap().abort_all();
    }
}

async fn serve(mut client: TcpStream, server: SocketAddr, chaos: Chaos, levers: Levers) {
    match chaos {
        Chaos::ResetAtOnce => reset(&client),
        Chaos::Silence => {
            // Until the other side gives up, so that it is seen to.
            while client.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
        }
        Chaos::ResetAfterRequest => {
            read_request(&mut client).await;
            reset(&client);
        }
        Chaos::Answer(bytes) => {
            read_request(&mut client).await;
            let _ = client.write_all(&bytes).await;
            let _ = client.shutdown().await;
        }
        Chaos::None => {
            let Ok(mut server) = TcpStream::connect(server).await else {
                return;
            };
            if !both_ways(&mut client, &mut server, levers).await {
                reset(&client);
                reset(&server);
            }
        }
        Chaos::ResetAfterHead => {
            if let Some(answer) = answer_of(&mut client, server).await {
                let head = head_of(&answer).unwrap_or(answer.len());
                reset_after(client, &answer[..head]).await;
            }
        }
        Chaos::ResetInAnswer(bytes) => {
            if let Some(answer) = answer_of(&mut client, server).await {
                reset_after(client, &answer[..bytes.min(answer.len())]).await;
            }
        }
        Chaos::Trickle(pause) => {
            let Some(answer) = answer_of(&mut client, server).await else {
                return;
            };
            for byte in answer {
                if client.write_all(&[byte]).await.is_err() {
                    return;
                }
                sleep(pause).await;
            }
        }
    }
}

/// Passes bytes on until both sides are done; false where they are to be reset.
async fn both_ways(client: &mut TcpStream, server: &mut TcpStream, levers: Levers) -> bool {
    let Levers { held, mut resets } = levers;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    // One way may end before the other.
    let passing = async {
        tokio::join!(
            pass_on(from_client, to_server, held.clone()),
            pass_on(from_server, to_client, held),
        )
    };
    tokio::select! {
        _ = passing => true,
        _ = resets.changed() => false,
    }
}

async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut held: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

async fn reset_after(mut client: TcpStream, bytes: &[u8]) {
    let _ = client.write_all(bytes).await;
    // Let what was written arrive before the reset overtakes it.
    sleep(Duration::from_millis(20)).await;
    reset(&client);
}

/// Closing without lingering sends a reset instead of a polite end.
fn reset(client: &TcpStream) {
    let _ = client.set_zero_linger();
}

/// What the server answers to one request.
async fn answer_of(client: &mut TcpStream, server: SocketAddr) -> Option<Vec<u8>> {
    let request = read_request(client).await;
    let mut server = TcpStream::connect(server).await.ok()?;
    server.write_all(&request).await.ok()?;
    Some(read_request(&mut server).await)
}

/// Reads one HTTP/1.1 message: its head, and as much body as it announces.
async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !is_whole(&bytes) {
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    bytes
}

/// Bytes of the head, with the empty line after it.
fn head_of(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    end.map(|end| end + 4)
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = head_of(bytes) else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse::<usize>().ok());
    bytes.len() >= end + length.unwrap_or_default()
}
